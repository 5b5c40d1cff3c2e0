// SPDX-License-Identifier: Apache-2.0

// Package evidence weighs what is observed of a device into its role, vendor and model. Its table (evidence.tsv) says what an observation
// speaks for. It knows nothing of addresses, sessions and the registry of devices.
package evidence

// Role is what a device is for.
type Role uint8

// The roles, in the order of the device record.
const (
	Unknown Role = iota
	Camera
	NVR
	VMS
	Server
	Workstation
	Phone
	Printer
	NetworkGear
	IoTHub
	IoT
	numRoles
)

var roleNames = [numRoles]string{"unknown", "camera", "nvr", "vms", "server", "workstation", "phone", "printer",
	"network_gear", "iot_hub", "iot"}

func (r Role) String() string { return roleNames[r] }

// Phrase returns the role with its article, for use in a sentence: "a camera", "an NVR".
func (r Role) Phrase() string {
	return [numRoles]string{"an unknown device", "a camera", "an NVR", "a VMS", "a server", "a workstation", "a phone", "a printer",
		"a network device", "an IoT hub", "an IoT device"}[r]
}

// ParseRole returns the role with the given name, and whether there is one.
func ParseRole(s string) (r Role, ok bool) {
	for i, n := range roleNames {
		if n == s {
			return Role(i), true
		}
	}
	return Unknown, false
}

// RoleNames returns the names of all roles except unknown.
func RoleNames() []string { return append([]string(nil), roleNames[1:]...) }

// Level is how certain a role is.
type Level uint8

// The levels. Identified is P >= 0.99 and 20 dB ahead of the next role, Probable is P >= 0.90 and 10 dB ahead, Hint is P >= 0.60.
const (
	LevelUnknown Level = iota
	Hint
	Probable
	Identified
)

func (l Level) String() string { return [...]string{"unknown", "hint", "probable", "identified"}[l] }

// Group is one of the six groups of evidence. Observations of one group are not independent.
type Group uint8

// The groups of evidence.
const (
	GroupLink         Group = iota // link layer, ARP and DHCP
	GroupAnnouncement              // what a device announces about itself, such as mDNS services
	GroupBanner                    // what it answers to a peer: server banner, realm, title, certificate
	GroupClient                    // its client software: SSH, user agent
	GroupBehavior                  // what it does: ports, peers, names that it looks up
	GroupOperator                  // the inventory
	numGroups
)

func (g Group) String() string {
	return [...]string{"link", "announcement", "banner", "client", "behavior", "operator"}[g]
}

// Item is one observation and what it speaks for, as it is shown.
type Item struct {
	Source string  // "oui", "dhcp_vendor_class", "http_server" …
	Value  string  // what was observed, cleaned and cut at MaxValue bytes
	Says   string  // "role=camera +15, vendor=Axis +15"
	Points float64 // decibans
	Group  Group
}
