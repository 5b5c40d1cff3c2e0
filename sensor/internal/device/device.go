// SPDX-License-Identifier: Apache-2.0

// Package device keeps the registry of the devices of the watched network: which addresses are one device, when it was
// heard, what it answers on, and which role, vendor and model the evidence speaks for. Its only clock is the capture
// clock. Nothing here is safe for concurrent use: it runs in the one goroutine of the judge.
package device

import (
	"net/netip"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/watchtime"
)

// Bounds of what one device may hold; what comes on top pushes the oldest out (addresses) or is not taken (the rest).
const (
	MaxIPs       = 32
	MaxHostnames = 16
	MaxServes    = 64
	MaxEvidence  = 32
	MaxVLANs     = 8
)

// Device is one device of the watched network. Others read it and never write it.
type Device struct {
	ID      uint32 // from 1, in the order of discovery; never used again within a run
	Version uint32 // counts up whenever identity, addresses, role or vendor change
	Key     string // "mac:aa:bb:…", "ip:10.0.0.1@site", or the name in the inventory

	MAC       packet.MAC // zero if not known
	MACKind   enrich.VendorKind
	RandomMAC bool // locally administered: names no maker, may change
	Router    bool // other addresses stand behind its MAC
	Declared  bool // named in the inventory or on the command line
	Role      Role
	Level     Level
	// ObservedDays counts the days (UTC) on which it was heard.
	ObservedDays uint32

	IPs       []netip.Addr // most recently bound last, at most MaxIPs
	Hostnames []string     // in the order of discovery
	VLANs     []uint16

	Vendor, Model, Firmware string     // "" if not known
	FirmwareDate            string     // "2019-12-15"; "" if not known
	Probability             float64    // of Role; 0 when unknown
	Evidence                []Evidence // strongest first, at most MaxEvidence; shared by devices with the same

	FirstSeen, LastSeen int64 // capture clock, nanoseconds
	// The first and last unicast session outside infrastructure that it opened itself; 0 if none.
	FirstOrigination, LastOrigination int64
	// The last of those sessions that came after a silence of a day or more, and how much of it was watched, in nanoseconds; 0 if none did.
	WokeAt, Silence int64
	Originated      uint64 // counts those sessions

	Serves []Serve // by port, then protocol; at most MaxServes

	clock      *watchtime.Clock
	seenMark   watchtime.Mark // FirstSeen
	openedMark watchtime.Mark // LastOrigination

	claims evidence.Claims
	stack
	opened, served uint8  // sessions, up to 255
	lastServed     int64  // the start of the last one
	parts          uint8  // its addresses that are kept apart
	names          uint64 // which of 64 bits the names that it asked for fell on
	node           lruNode
	lastDay        int32  // since the epoch
	round          uint16 // of the registry, when it was weighed last
}

// Serve is a port on which a device has answered.
type Serve struct {
	Port        uint16
	Proto       string // tcp, udp
	App         string // by its bytes; "" if not known
	External    bool   // an external peer was answered
	First, Last int64

	addr packet.Addr
}

// IP gives the address to name the device by: the most recently bound IPv4 address, else the most recent address;
// invalid if none is known.
func (d *Device) IP() netip.Addr {
	for i := len(d.IPs) - 1; i >= 0; i-- {
		if d.IPs[i].Is4() {
			return d.IPs[i]
		}
	}
	if len(d.IPs) > 0 {
		return d.IPs[len(d.IPs)-1]
	}
	return netip.Addr{}
}

// HasIP reports whether a is bound to d.
func (d *Device) HasIP(a netip.Addr) bool {
	for _, x := range d.IPs {
		if x == a {
			return true
		}
	}
	return false
}

// ServesOn gives the entry of a port, nil if the device has not answered there.
func (d *Device) ServesOn(port uint16, proto string) *Serve {
	for i := range d.Serves {
		if d.Serves[i].Port == port && d.Serves[i].Proto == proto {
			return &d.Serves[i]
		}
	}
	return nil
}

// wakeNs is how long a device that woke is still held to the silence that it broke, so that all of what it does then is
// judged by it and not only the first session.
const wakeNs = dayNs

// SilentFor gives for how much watched time until now, in nanoseconds, d has opened no unicast session outside infrastructure: since the
// last one, or since d was first seen if it has opened none.
func (d *Device) SilentFor(now int64) int64 {
	switch {
	case d.clock == nil:
		return now - max(d.FirstSeen, d.LastOrigination)
	case d.LastOrigination == 0:
		return d.WatchedFor(now)
	}
	return d.clock.Since(d.openedMark, now)
}

// WatchedFor gives for how much time, in nanoseconds, d was watched since it was first seen.
func (d *Device) WatchedFor(now int64) int64 {
	if d.clock == nil {
		return now - d.FirstSeen
	}
	return d.clock.Since(d.seenMark, now)
}

// Idle reports whether d was watched for at least the given time and opened no unicast session outside infrastructure
// in it, or has ended such a silence within the last day. now and within are nanoseconds.
func (d *Device) Idle(now, within int64) bool {
	if d.WokeAt != 0 && now-d.WokeAt < wakeNs {
		return d.Silence >= within
	}
	return d.SilentFor(now) >= within
}
