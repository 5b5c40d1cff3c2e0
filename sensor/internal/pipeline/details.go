// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
)

// detailShare limits the sessions with details: one in detailShare of a full table. Details are the facts read from a session, which take more
// memory than the session itself.
const detailShare = 32

// details lists the sessions of a partition of which more is known than the name of the protocol, oldest first. When there are too many, the
// oldest keeps only the name: its facts were evaluated long ago.
type details struct {
	max, count     int
	oldest, newest *state
}

// add appends x, and returns the one that must be dropped, nil if there is room.
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

// remove removes x if it is in the list.
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

// appNames maps the names of protocols to short labels, and shares one App among all sessions of which only the name is known. It is bounded
// by the number of names in dissect.
type appNames struct {
	labels map[string]uint8
	apps   []*fingerprint.App
}

// label returns the label of a name; 0 means none, or that there are already 255.
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
