// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
)

// detailShare is one in how many sessions of a full table may have details: what was read of them, which takes more room than the session
// itself.
const detailShare = 32

// details are the sessions of a partition of which more is known than a name, in the order in which they became so. When there are too
// many, the oldest keeps its name alone: its facts have been judged long ago.
type details struct {
	max, count     int
	oldest, newest *state
}

// add appends x, and gives the one that has to go, nil if there is room.
func (d *details) add(x *state) (old *state) {
	if d.count >= d.max {
		old = d.oldest
		d.remove(old)
	}
	x.prev = d.newest
	if d.newest != nil {
		d.newest.next = x
	} else {
		d.oldest = x
	}
	d.newest = x
	d.count++
	return old
}

// remove takes x out, if it is there.
func (d *details) remove(x *state) {
	if x.prev == nil && x.next == nil && d.oldest != x {
		return
	}
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		d.oldest = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	} else {
		d.newest = x.prev
	}
	x.prev, x.next = nil, nil
	d.count--
}

// appNames gives short labels to the names of protocols, and one App to all sessions of which only the name is known. There are as many
// names as dissect knows.
type appNames struct {
	labels map[string]uint8
	apps   []*fingerprint.App
}

// label gives the label of a name; 0 stands for none, and for names beyond 255.
func (n *appNames) label(name string) uint8 {
	if l, ok := n.labels[name]; ok || len(n.apps) >= 255 {
		return l
	}
	if n.labels == nil {
		n.labels = map[string]uint8{}
	}
	var none *fingerprint.App
	n.apps = append(n.apps, none.With(&dissect.AppID{Name: name}))
	n.labels[name] = uint8(len(n.apps))
	return uint8(len(n.apps))
}

func (n *appNames) app(label uint8) *fingerprint.App {
	if label == 0 {
		return nil
	}
	return n.apps[label-1]
}
