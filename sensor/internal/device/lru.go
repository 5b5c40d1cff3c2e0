// SPDX-License-Identifier: Apache-2.0

package device

// lruNode links a device into one of the two LRU lists of the registry.
type lruNode struct {
	prev, next *Device
	queued     bool
	often      bool // in Registry.often, else in Registry.once
	// event is the last event that used the device: until the next event it is not evicted.
	event uint32
	mark  mark
}

// lru is a list of devices, the most recently used in front. It links the nodes within the devices, so that nothing is allocated.
type lru struct{ front, back *Device }

func (q *lru) push(d *Device) {
	d.node.prev, d.node.next, d.node.queued = nil, q.front, true
	if q.front != nil {
		q.front.node.prev = d
	} else {
		q.back = d
	}
	q.front = d
}

func (q *lru) remove(d *Device) {
	n := &d.node
	if !n.queued {
		return
	}
	if n.prev != nil {
		n.prev.node.next = n.next
	} else {
		q.front = n.next
	}
	if n.next != nil {
		n.next.node.prev = n.prev
	} else {
		q.back = n.prev
	}
	n.prev, n.next, n.queued = nil, nil, false
}

func (q *lru) touch(d *Device) {
	if q.front != d {
		q.remove(d)
		q.push(d)
	}
}

// last returns the least recently used device that the given event has not used, nil if there is none. It skips at most the few devices
// that one event can use.
func (q *lru) last(event uint32) *Device {
	d := q.back
	for d != nil && d.node.event == event {
		d = d.node.prev
	}
	return d
}
