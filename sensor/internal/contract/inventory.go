// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"net/netip"
	"time"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// Inventory is what the operator declares about the network. The config package has checked that it is complete and valid.
type Inventory struct {
	Site           string
	Internal       []netip.Prefix
	Zones          []Zone // sorted by name
	Infrastructure Infrastructure
	Devices        []Entry // in the order of the file; the first match of the most exact kind counts
	Source         []byte  // the document
}

// Zone is a named set of networks.
type Zone struct {
	Name     string
	Networks []netip.Prefix
}

// Infrastructure lists the servers that everybody may use. A nil list was not given and pins nothing; an empty list
// that was given means that there is no such server.
type Infrastructure struct {
	DNS, NTP, DHCP, Syslog, Admin []Host
}

// Host is an address or prefix, or a DNS name (with "*." as a wildcard): exactly one.
type Host struct {
	Prefix netip.Prefix
	Name   string
}

// Match selects the devices of an entry: exactly one field is set.
type Match struct {
	MAC    packet.MAC
	IP     netip.Addr
	Prefix netip.Prefix
	Vendor string
	Role   device.Role
}

// Entry describes one device or a group of devices.
type Entry struct {
	Name        string
	Match       Match
	Expect      Expect
	HasExpect   bool // expect was given; otherwise idleness decides
	Owner       string
	Criticality string // low, medium, high, critical; "" if not given
	Allow       []Rule
	Maintenance []Window
}

// Rule allows sessions.
type Rule struct {
	Text      string // as a verdict shows it: "out tcp 443 to *.example.com"
	Direction session.Dir
	Peer      Peer
	Proto     string      // tcp, udp, icmp or any
	Ports     [][2]uint16 // inclusive ranges; empty means any
}

// Peer is the other end of a Rule. One field is set; none means any peer.
type Peer struct {
	Prefix netip.Prefix
	Zone   string
	Device string
	Name   string // DNS name, "*." in front for all names below
}

// Window is a weekly maintenance window. If To is before From it ends after midnight and belongs to the day on which it begins.
type Window struct {
	Days     [7]bool // by time.Weekday
	From, To int     // minutes of the day
	Zone     *time.Location
}

// Holds reports whether a time (nanoseconds since the epoch) is in the window.
func (w *Window) Holds(now int64) bool {
	t := time.Unix(0, now).In(w.Zone)
	at, day := t.Hour()*60+t.Minute(), t.Weekday()
	if w.From <= w.To {
		return w.Days[day] && at >= w.From && at < w.To
	}
	return w.Days[day] && at >= w.From || w.Days[(day+6)%7] && at < w.To
}

// Named returns the devices that a registry should know by name: those matched by one MAC or one address.
func (inv *Inventory) Named() (out []device.Named) {
	if inv == nil {
		return nil
	}
	for _, e := range inv.Devices {
		if !e.Match.MAC.IsZero() || e.Match.IP.IsValid() {
			out = append(out, device.Named{Name: e.Name, MAC: e.Match.MAC, IP: e.Match.IP})
		}
	}
	return out
}

// Watched returns the prefixes whose hosts are always devices, because an entry is about them.
func (inv *Inventory) Watched() (out []netip.Prefix) {
	if inv == nil {
		return nil
	}
	for _, e := range inv.Devices {
		if e.Match.Prefix.IsValid() {
			out = append(out, e.Match.Prefix)
		}
	}
	return out
}
