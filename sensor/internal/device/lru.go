// SPDX-License-Identifier: Apache-2.0

package device

// lruNode links a device into one of the two queues of the registry.
type lruNode struct {
	prev, next *Device
	queue      *lru
}

// lru is a queue of devices, the one touched last in front. Devices stand in it by their own node, so that nothing is
// allocated when one is touched.
type lru struct{ front, back *Device }

func (q *lru) push(d *Device) {
	d.node = lruNode{next: q.front, queue: q}
	if q.front != nil {
		q.front.node.prev = d
	} else {
		q.back = d
	}
	q.front = d
}

func (q *lru) remove(d *Device) {
	n := d.node
	if n.queue != q {
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
	d.node = lruNode{}
}

func (q *lru) touch(d *Device) {
	if q.front != d {
		q.remove(d)
		q.push(d)
	}
}
