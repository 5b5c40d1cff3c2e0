// SPDX-License-Identifier: Apache-2.0

package device

// lruNode links a device into one of the two queues of the registry.
type lruNode struct {
	prev, next *Device
	queued     bool
	often      bool // in which
	// event is the last one that resolved it: until the next it is not evicted.
	event uint32
	mark  mark
}

// lru is a queue of devices, the one touched last in front. Devices stand in it by their own node, so that nothing is
// allocated when one is touched.
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

// last gives the device that was touched longest ago and that the given event has not resolved; nil if there is none. What it passes over
// is what one event can resolve: a few devices.
func (q *lru) last(event uint32) *Device {
	d := q.back
	for d != nil && d.node.event == event {
		d = d.node.prev
	}
	return d
}
