// SPDX-License-Identifier: Apache-2.0

// Package netns creates the network of a lab from Linux network namespaces: a bridge, a router to the outside, and a mirror
// port. Each run has unique names, so that leftovers can be found and removed.
package netns

import "net/netip"

// Machine is a namespace with one interface, eth0, on the bridge.
type Machine struct {
	Name string
	IP   netip.Addr
	MAC  string
}

// The machines on the bridge.
const (
	Router   = "router"
	DNS      = "dns"
	Operator = "ws-operator"
	Legacy   = "srv-legacy-07"
	Files    = "srv-files"
	Recorder = "nvr"
	Camera1  = "cam-01"
	Camera2  = "cam-02"
	Camera3  = "cam-03"
)

// The other namespaces.
const (
	Switch  = "switch"  // the bridge and its ports
	Outside = "outside" // everything behind the router
	Sensor  = "sensor"  // the receiving end of the mirror port
)

// The outside addresses, all from documentation networks (RFC 5737). Where closed ports must refuse, the whole network is local to
// the namespace outside; in the other networks only these addresses answer.
const (
	Intruder   = "203.0.113.66"  // the attacker of S1
	Worm       = "198.51.100.77" // the attacker of S3
	Mail       = "198.51.100.23" // the mail server that the relay connects to
	Controller = "203.0.113.9"   // the controller of the bot
	Gone       = "198.51.100.200"
	Web        = "198.51.100.80"
	Refusing   = "192.0.2.0/24"
)

// SensorPort is the interface of the sensor. It has no address.
const SensorPort = "mirror0"

// Sender is the namespace at the other end of NewCable's veth pair, and SenderPort its interface.
const (
	Sender     = "sender"
	SenderPort = "tx0"
)

// PrefixLength is the prefix length of the office network.
const PrefixLength = 16

// Leased reports whether the machine gets its address by DHCP.
func (m Machine) Leased() bool { return m.Name == Operator }

// Machines returns the machines on the bridge, the router first.
func Machines() []Machine {
	m := func(name, ip, mac string) Machine { return Machine{name, netip.MustParseAddr(ip), mac} }
	return []Machine{
		m(Router, "10.20.1.1", "00:1b:54:00:00:01"),
		m(DNS, "10.20.1.53", "ac:1f:6b:00:01:53"),
		m(Operator, "10.20.50.21", "00:1e:c9:00:00:21"),
		m(Legacy, "10.20.10.17", "b8:ca:3a:00:00:17"),
		m(Files, "10.20.10.21", "ac:1f:6b:00:00:21"),
		m(Recorder, "10.20.30.5", "44:19:b6:00:00:05"),
		m(Camera1, "10.20.30.11", "3c:ef:8c:00:01:01"),
		m(Camera2, "10.20.30.12", "ac:cc:8e:00:01:02"),
		m(Camera3, "10.20.30.13", "44:19:b6:00:01:03"),
	}
}

// MachineOf returns the machine with a name.
func MachineOf(name string) Machine {
	for _, m := range Machines() {
		if m.Name == name {
			return m
		}
	}
	panic("wire: no machine " + name)
}

// Address returns the address of a machine on the bridge.
func Address(name string) netip.Addr { return MachineOf(name).IP }
