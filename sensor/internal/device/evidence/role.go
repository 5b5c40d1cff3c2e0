// SPDX-License-Identifier: Apache-2.0

package device

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

// Phrase names one of the role in a sentence: "a camera", "an NVR".
func (r Role) Phrase() string {
	return [numRoles]string{"an unknown device", "a camera", "an NVR", "a VMS", "a server", "a workstation", "a phone", "a printer",
		"a network device", "an IoT hub", "an IoT device"}[r]
}

// ParseRole gives the role of a name; ok is false if there is none.
func ParseRole(s string) (r Role, ok bool) {
	for i, n := range roleNames {
		if n == s {
			return Role(i), true
		}
	}
	return Unknown, false
}

// RoleNames lists all names but unknown.
func RoleNames() []string { return append([]string(nil), roleNames[1:]...) }

// Level says how sure a role is.
type Level uint8

// Identified is P >= 0.99 and 20 dB ahead, Probable P >= 0.90 and 10 dB, Hint P >= 0.60.
const (
	LevelUnknown Level = iota
	Hint
	Probable
	Identified
)

func (l Level) String() string { return [...]string{"unknown", "hint", "probable", "identified"}[l] }

// Group is one of the six groups of evidence; within a group, pieces of evidence are not independent.
type Group uint8

// The groups of evidence.
const (
	GroupLink         Group = iota // link layer, ARP and DHCP
	GroupAnnouncement              // what a device says of itself unasked: mDNS and the like
	GroupBanner                    // what it answers to a peer: server banner, realm, title, certificate
	GroupClient                    // its client stack: TCP, TLS, SSH, user agent
	GroupBehaviour                 // what it does: ports, peers, names it asks for
	GroupOperator                  // the inventory
	numGroups
)

func (g Group) String() string {
	return [...]string{"link", "announcement", "banner", "client", "behaviour", "operator"}[g]
}

// Evidence is one observation and what it speaks for.
type Evidence struct {
	Source string  // "oui", "dhcp_vendor_class", "http_server" …
	Value  string  // what was observed, made safe and cut at 96 bytes
	Says   string  // "role=camera vendor=Axis"
	Points float64 // decibans
	Group  Group
}
