// SPDX-License-Identifier: Apache-2.0

// Package device keeps the registry of the devices of the watched network: which addresses belong to one device, when it was seen, which
// ports it serves, and its role, vendor and model. Its only clock is the capture clock. It is not safe for concurrent use: it runs in the
// goroutine of the event loop.
package device

import (
	"net/netip"
	"strings"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/watchtime"
)

// Bounds of what is kept of one device. A further address evicts the oldest; of everything else no more is added.
const (
	MaxIPs       = 32
	MaxHostnames = 16
	MaxServes    = 64
	MaxEvidence  = 32
	MaxVLANs     = 8
	MaxPrints    = 8
)

// Device is one device of the watched network. Other packages only read it.
type Device struct {
	ID      uint32 // from 1, in the order of discovery; never reused within a run
	Version uint32 // incremented when identity, addresses, role or vendor change
	Key     string // "mac:aa:bb:…", "ip:10.0.0.1@site", or its name in the inventory

	MAC       packet.MAC // zero if not known
	MACKind   enrich.VendorKind
	RandomMAC bool // locally administered: has no vendor, may change
	Router    bool // it forwards for other addresses
	Declared  bool // named in the inventory or on the command line
	Role      Role
	Level     Level
	// Noticed reports whether it was decided if the device is reported as new (Registry.Notice).
	Noticed bool
	parts   uint8 // addresses that have a part of their own (part.go)
	// ObservedDays counts the days (UTC) on which it sent something.
	ObservedDays uint32

	IPs       []netip.Addr // most recently bound last, at most MaxIPs
	Hostnames []string     // in the order of discovery
	VLANs     []uint16
	Prints    []string // NPF fingerprints of its TCP and DHCP, in the order of discovery

	Vendor, Model, Firmware string     // "" if not known
	FirmwareDate            string     // "2019-12-15"; "" if not known
	MUDURL                  string     // the last that it gave (RFC 8520); "" if it gave none
	Probability             float64    // of Role; 0 when unknown
	Evidence                []Evidence // strongest first, at most MaxEvidence; shared by devices with the same

	FirstSeen, LastSeen int64 // capture clock, nanoseconds
	// Start of the first and last unicast session that it opened, except to infrastructure; 0 if none.
	FirstOrigination, LastOrigination int64
	// Start of the last of those sessions that followed an idle time of a day or more, and how much of that time was watched, in
	// nanoseconds; 0 if there was none.
	WokeAt, Silence int64
	Originated      uint64 // counts those sessions

	Serves []Serve // by port, then protocol; at most MaxServes

	// There are many devices: the order of the fields leaves no gaps.
	clock                *watchtime.Clock
	seenAt, openedAt     int64  // the marks of FirstSeen and LastOrigination (mark.go)
	seenVLAN, openedVLAN uint16 // the same
	lastDay              int32  // since the epoch
	claims               evidence.Claims
	lastServed           int64  // start of the last served session
	names                uint64 // linear counter of the domains that it looked up (Registry.name)
	clients              uint64 // linear counter of the clients that it answered on lastDay (Registry.servedClient)
	things               uint64 // linear counter of the devices that speak a protocol of things to it (Registry.serveThing)
	weighedAt            int64
	node                 lruNode
	stack
	hourCount
	opened, served uint8              // sessions, up to 255
	round          uint16             // Registry.round when it was last weighed
	addrs          []packet.Addr      // as in IPs, with their scopes: one address can be in several
	lastStack      *fingerprint.Stack `snapshot:"-"` // the last one that Registry.Stack has seen: it need not look for it in Prints
}

// Serve is a port on which a device has answered.
type Serve struct {
	Port        uint16
	Proto       string // tcp, udp
	App         string // application protocol as identified by its bytes; "" if not known
	External    bool   // an external peer got an answer
	First, Last int64

	addr packet.Addr
}

// IP returns the address to show for the device: the most recently bound IPv4 address, else the most recently bound address; invalid if
// it has none.
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

// Board returns who the MAC is registered to, if that is not the vendor of the device: who built its board, or its network chip. "" otherwise.
func (d *Device) Board() string {
	if d.MAC.IsZero() {
		return ""
	}
	if v := enrich.VendorOf(d.MAC); !strings.EqualFold(v.Name, d.Vendor) {
		return v.Name
	}
	return ""
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

// ServesOn returns the entry of a port, nil if the device has not answered on it.
func (d *Device) ServesOn(port uint16, proto string) *Serve {
	for i := range d.Serves {
		if d.Serves[i].Port == port && d.Serves[i].Proto == proto {
			return &d.Serves[i]
		}
	}
	return nil
}

// wakeNs is how long a device still counts as idle after it opened a session, so that all of its sessions then are checked and not only
// the first.
const wakeNs = dayNs

// SilentFor returns the watched time, in nanoseconds, in which d has opened no unicast session, except to infrastructure: since the last one,
// or since d was first seen.
func (d *Device) SilentFor(now int64) int64 {
	switch {
	case d.clock == nil:
		return now - max(d.FirstSeen, d.LastOrigination)
	case d.LastOrigination == 0:
		return d.WatchedFor(now)
	}
	return d.clock.Since(d.openedMark(), now)
}

// WatchedFor returns the watched time since d was first seen, in nanoseconds.
func (d *Device) WatchedFor(now int64) int64 {
	if d.clock == nil {
		return now - d.FirstSeen
	}
	return d.clock.Since(d.seenMark(), now)
}

// Idle reports whether d was watched for at least the time within and opened no unicast session in it, except to infrastructure, or ended such
// an idle time within the last day. now and within are in nanoseconds.
func (d *Device) Idle(now, within int64) bool {
	if d.WokeAt != 0 && now-d.WokeAt < wakeNs {
		return d.Silence >= within
	}
	return d.SilentFor(now) >= within
}
