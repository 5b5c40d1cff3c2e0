// SPDX-License-Identifier: Apache-2.0

package device

import "stillwatch/sensor/internal/packet"

// saved tracks what differs from the saved state: devices and links that changed, and those that were dropped since they were saved. It is
// at most as large as the registry.
type saved struct {
	devices []*Device // changed, in no order
	links   []*link
	gone    []uint32 // IDs of dropped devices
	goneMAC []packet.MAC
	// IDs of devices whose histories have changed, in no order, and of those whose histories were dropped.
	histories     []uint32
	goneHistories []uint32
	byID          map[uint32]*Device // only while a state is restored
	// declared is a hash of what the operator declared; renamed is whether it has changed since the state was saved.
	declared uint64
	renamed  bool
}

// mark is where one device is in saved. A link has the same fields.
type mark struct {
	place uint32 // 1 + index in the list of changes; 0: not changed
	kept  bool   // it is in the saved state
}

// changed records that a device must be saved again.
func (r *Registry) changed(d *Device) {
	if r.saved == nil || d.node.mark.place != 0 || !d.node.queued {
		return
	}
	r.saved.devices = append(r.saved.devices, d)
	d.node.mark.place = uint32(len(r.saved.devices))
}

// settled removes a device from the list of changes.
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

// dropped records that a device is dropped.
func (r *Registry) dropped(d *Device) {
	if r.saved == nil {
		return
	}
	r.saved.settled(d)
	if d.node.mark.kept {
		r.saved.gone = append(r.saved.gone, d.ID)
		d.node.mark.kept = false
	}
}

// changedLink records that a link must be saved again.
func (r *Registry) changedLink(l *link) {
	if r.saved == nil || l.place != 0 {
		return
	}
	r.saved.links = append(r.saved.links, l)
	l.place = uint32(len(r.saved.links))
}

func (s *saved) settledLink(l *link) {
	n := l.place
	if n == 0 {
		return
	}
	last := s.links[len(s.links)-1]
	s.links[n-1], last.place = last, n
	s.links[len(s.links)-1] = nil
	s.links = s.links[:len(s.links)-1]
	l.place = 0
}

// dropLink removes a link.
func (r *Registry) dropLink(l *link) {
	delete(r.links, l.mac)
	if r.saved == nil {
		return
	}
	r.saved.settledLink(l)
	if l.kept {
		r.saved.goneMAC = append(r.saved.goneMAC, l.mac)
		l.kept = false
	}
}
