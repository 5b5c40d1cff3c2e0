// SPDX-License-Identifier: Apache-2.0

package device

import "stillwatch/sensor/internal/packet"

// saved is what a registry knows of its copy on disk: which devices and links have changed since they were saved, and which that are
// there have gone. It is as large as the registry at most.
type saved struct {
	devices []*Device // changed, in no order
	links   []*link
	gone    []uint32 // IDs of devices
	goneMAC []packet.MAC
	byID    map[uint32]*Device // while it is restored
	// declared stands for what the operator has declared; renamed says that it has changed since it was saved.
	declared uint64
	renamed  bool
}

// mark is what the copy on disk knows of one device or link.
type mark struct {
	place uint32 // 1 + its place among those that have changed; 0: it has not
	kept  bool   // there is a copy
}

// changed notes that a device is to be saved again.
func (r *Registry) changed(d *Device) {
	if r.saved == nil || d.node.mark.place != 0 || !d.node.queued {
		return
	}
	r.saved.devices = append(r.saved.devices, d)
	d.node.mark.place = uint32(len(r.saved.devices))
}

// settled takes a device from those that have changed.
func (s *saved) settled(d *Device) {
	n := d.node.mark.place
	if n == 0 {
		return
	}
	last := s.devices[len(s.devices)-1]
	s.devices[n-1], last.node.mark.place = last, n
	s.devices[len(s.devices)-1] = nil
	s.devices = s.devices[:len(s.devices)-1]
	d.node.mark.place = 0
}

// forgot notes that a device goes.
func (r *Registry) forgot(d *Device) {
	if r.saved == nil {
		return
	}
	r.saved.settled(d)
	if d.node.mark.kept {
		r.saved.gone = append(r.saved.gone, d.ID)
		d.node.mark.kept = false
	}
}

// changedLink notes that a link is to be saved again.
func (r *Registry) changedLink(l *link) {
	if r.saved == nil || l.mark.place != 0 {
		return
	}
	r.saved.links = append(r.saved.links, l)
	l.mark.place = uint32(len(r.saved.links))
}

func (s *saved) settledLink(l *link) {
	n := l.mark.place
	if n == 0 {
		return
	}
	last := s.links[len(s.links)-1]
	s.links[n-1], last.mark.place = last, n
	s.links[len(s.links)-1] = nil
	s.links = s.links[:len(s.links)-1]
	l.mark.place = 0
}

// dropLink forgets a link.
func (r *Registry) dropLink(l *link) {
	delete(r.links, l.mac)
	if r.saved == nil {
		return
	}
	r.saved.settledLink(l)
	if l.mark.kept {
		r.saved.goneMAC = append(r.saved.goneMAC, l.mac)
		l.mark.kept = false
	}
}
