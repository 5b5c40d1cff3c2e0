// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// Records selects what is written of a run: everything that overlaps a time, concerns a device, and belongs to a Community ID. Everything else
// was read and counts as evidence, so the records are those of the whole capture.
type Records struct {
	From, To    int64 // capture clock, nanoseconds; 0: no bound
	CommunityID string

	key  string // of a device
	addr netip.Addr
	mac  packet.MAC

	met    map[uint32]bool // devices of selected sessions, by ID
	alerts map[string]bool // ids of selected alerts
}

// maxAlerts bounds the alerts by which incidents are selected.
const maxAlerts = 1 << 20

// Device selects a device by its key, its address or its MAC.
func (r *Records) Device(text string) {
	switch a, err := netip.ParseAddr(text); {
	case err == nil:
		r.addr = a.Unmap()
	default:
		if m, err := net.ParseMAC(text); err == nil && len(m) == 6 {
			r.mac = packet.MAC(m)
			return
		}
		r.key = text
	}
}

// Check returns an error if nothing can be selected.
func (r *Records) Check() error {
	if r.From != 0 && r.To != 0 && r.To < r.From {
		return errors.New("the end is before the start")
	}
	if id, ok := strings.CutPrefix(r.CommunityID, "1:"); r.CommunityID != "" && (!ok || len(id) != 28) {
		return errors.New("a Community ID looks like 1:LQU9qZlK+B5F3KDmev6m5PMibrg=")
	}
	return nil
}

// After reports whether a time is later than everything that is selected.
func (r *Records) After(t int64) bool { return r != nil && r.To != 0 && t > r.To }

// during reports whether something lasted within the selected time.
func (r *Records) during(from, to int64) bool {
	return (r.To == 0 || from <= r.To) && (r.From == 0 || to >= r.From)
}

// anyDevice reports whether no device is selected.
func (r *Records) anyDevice() bool { return r.key == "" && r.mac.IsZero() && !r.addr.IsValid() }

// is reports whether a device, or an address without one, is selected.
func (r *Records) is(d *device.Device, a netip.Addr) bool {
	switch {
	case r.addr.IsValid():
		return a == r.addr || d != nil && slices.Contains(d.IPs, r.addr)
	case d == nil:
		return false
	case r.key != "":
		return d.Key == r.key
	}
	return d.MAC == r.mac
}

// Session reports whether a session is written. a and b are the devices at its ends; nil for an external end.
func (r *Records) Session(v *session.View, a, b *device.Device) bool {
	switch {
	case r == nil:
		return true
	case !r.during(v.Start, v.End), !r.anyDevice() && !r.is(a, v.Initiator.Addr.Netip()) && !r.is(b, v.Responder.Addr.Netip()):
		return false
	case r.CommunityID != "" && session.CommunityID(v) != r.CommunityID:
		return false
	}
	if r.met == nil {
		r.met = map[uint32]bool{}
	}
	for _, d := range [...]*device.Device{a, b} {
		if d != nil {
			r.met[d.ID] = true
		}
	}
	return true
}

// Alert reports whether a revision of an alert is written.
func (r *Records) Alert(a *schemas.Alert) bool {
	switch {
	case r == nil:
		return true
	case !r.during(int64(a.Time.EventStart), int64(a.Time.EventEnd)), !r.anyDevice() && !r.entity(a):
		return false
	case r.CommunityID != "" && (a.Session == nil || a.Session.CommunityID != r.CommunityID) && !slices.Contains(a.RelatedSessions, r.CommunityID):
		return false
	}
	if r.alerts == nil {
		r.alerts = map[string]bool{}
	}
	if len(r.alerts) < maxAlerts {
		r.alerts[a.ID] = true
	}
	return true
}

// entity reports whether an alert names the selected device.
func (r *Records) entity(a *schemas.Alert) bool {
	want := "device:" + r.key
	switch {
	case r.addr.IsValid():
		want = "ip:" + r.addr.String()
	case r.key == "":
		want = "mac:" + r.mac.String()
	}
	return slices.Contains(a.Entities, want)
}

// Incident reports whether a revision of an incident is written: one of its alerts was.
func (r *Records) Incident(i *schemas.Incident) bool {
	return r == nil || slices.ContainsFunc(i.Alerts, func(id string) bool { return r.alerts[id] })
}

// DeviceRecord reports whether a device is written: it is selected, or it had a session that is.
func (r *Records) DeviceRecord(d *device.Device) bool {
	switch {
	case r == nil:
		return true
	case r.anyDevice() && r.CommunityID == "":
		return r.during(d.FirstSeen, d.LastSeen)
	}
	return r.met[d.ID] || !r.anyDevice() && r.is(d, netip.Addr{})
}
