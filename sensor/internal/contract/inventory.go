// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"net/netip"
	"time"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// Inventory is what the operator says about the network. It is complete and valid: the config package checks it.
type Inventory struct {
	Site           string
	Internal       []netip.Prefix
	Zones          []Zone // sorted by name
	Infrastructure Infrastructure
	Devices        []Entry // in the order of the file; the first match of the most exact kind counts
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

// Host is an address, a prefix or a DNS name (with "*." as a wildcard): exactly one.
type Host struct {
	Prefix netip.Prefix
	Name   string
}

// Match says which devices an entry is about: exactly one field is set.
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
	Owner       string
	Criticality string // low, medium, high, critical; "" if not given
	Allow       []Rule
	Maintenance []Window
}

// Rule allows sessions.
type Rule struct {
	Text      string // as it is shown in a verdict: "out tcp 443 to *.example.com"
	Direction session.Dir
	Peer      Peer
	Proto     string      // tcp, udp, icmp or any
	Ports     [][2]uint16 // inclusive ranges; empty means any
}

// Peer is the other end of a Rule: one field is set; none means anybody.
type Peer struct {
	Prefix netip.Prefix
	Zone   string
	Device string
	Name   string // DNS name, "*." in front for all names below
}

// Window is a weekly maintenance window; To before From runs over midnight.
type Window struct {
	Days     [7]bool // by time.Weekday
	From, To int     // minutes of the day
	Zone     *time.Location
}
