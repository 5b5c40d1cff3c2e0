// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"math/bits"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// sender is who sends the packets of a flood.
type sender struct {
	caller
	device *device.Device // nil: a host that is none
	mac    bool           // known by the MAC of its frames: the source addresses may be forged
}

// manySources is how many of the 64 places of stream.sources are taken if there are some 30 different source addresses.
const manySources = 24

// senders returns who may have sent a session. If both ends are outside, the source address may be forged: then the MAC of the frames says
// which device sends them. Behind the MAC of a router there may be one host that forges or many that do not, so both are counted.
func (x *flood) senders(e *Event, c *Context) (list [2]sender, n int) {
	v := e.Session
	if who, ok := callerOf(e); ok {
		list[0], n = sender{caller: who, device: e.Initiator}, 1
	}
	if e.Initiator != nil || e.Responder != nil || !v.Opened() || v.Initiator.MAC.IsZero() || v.Initiator.MAC.IsGroup() {
		return list, n
	}
	d := c.Devices.ByMAC(v.Initiator.MAC)
	if key := x.stations.get(v.Initiator.MAC, c.Now); key != nil {
		d = c.Devices.ByKey(*key) // forged addresses from inside have made it look like a router
	} else if d != nil && d.Router {
		d = nil
	}
	if d != nil {
		list[0] = sender{caller{device: d.ID}, d, true}
		return list, 1
	}
	if n == 1 {
		list[1], n = sender{caller{addr: addrOfMAC(v.Initiator.MAC)}, nil, true}, 2
	}
	return list, n
}

// key returns to whom a sender sends a session.
func (x *flood) key(by sender, v *session.View) flooded {
	k := flooded{by.caller, v.Responder.Addr, 0, v.Proto}
	if v.Proto == protoTCP {
		k.port = v.Responder.Port
	}
	return k
}

// addrOfMAC returns a key for a MAC that no unicast address is equal to.
func addrOfMAC(m packet.MAC) (a packet.Addr) {
	a[0] = 0xff
	copy(a[10:], m[:])
	return a
}

// note notes the source address of a session.
func (s *stream) note(from *packet.Addr) {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range from {
		h = (h ^ uint64(b)) * 1099511628211
	}
	s.sources |= 1 << (h >> 58)
}

// forged reports whether the packets of a stream have more source addresses than one host has.
func (s *stream) forged() bool { return bits.OnesCount64(s.sources) >= manySources }

// forgedFinding returns the finding about a flood with forged source addresses, and its texts. If a router sends it, it is about nobody, because it
// may be any host behind it.
func (x *flood) forgedFinding(e *Event, c *Context, by sender) *Finding {
	turned := *e
	turned.Initiator = by.device
	f := c.sessionFinding(x.Rule(), &turned, session.Out)
	text := fmt.Sprintf("the packets come from the MAC %s, with source addresses outside the network such as %s", e.Session.Initiator.MAC, f.DeviceAddr)
	if by.device != nil {
		f.DeviceAddr = by.device.IP()
		f.Entities = entities(f)
	}
	f.Reasons = []Reason{{Code: "forged_sources", Text: text, Weight: 0.4}}
	return f
}
