// SPDX-License-Identifier: Apache-2.0

// Package netns makes the network of a lab: namespaces around a bridge, a router with the outside behind it, and a mirror
// port. All of it has names of its own, and all of it can be found and removed again.
package netns

import "net/netip"

// Machine is a namespace with one interface, eth0, at the bridge.
type Machine struct {
	Name string
	IP   netip.Addr
	MAC  string
}

// The machines at the bridge.
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

// The namespaces that are no machines of the office.
const (
	Switch  = "switch"  // the bridge and its ports
	Outside = "outside" // all that is behind the router
	Sensor  = "sensor"  // the far end of the mirror port
)

// The addresses outside: those of documentation (RFC 5737). Whole networks are local to the namespace outside where a
// closed port has to refuse; in the others only these addresses are, and the rest is silent.
const (
	Intruder   = "203.0.113.66"  // of the story of the server
	Worm       = "198.51.100.77" // of the story of the recorder
	Mail       = "198.51.100.23" // where the relay leads
	Controller = "203.0.113.9"   // of the worm
	Gone       = "198.51.100.200"
	Web        = "198.51.100.80"
	Refusing   = "192.0.2.0/24"
)

// SensorPort is the interface of the sensor; it has no address.
const SensorPort = "mirror0"

// Sender is the namespace at the other end of a cable, and SenderPort its interface.
const (
	Sender     = "sender"
	SenderPort = "tx0"
)

// PrefixLength is that of the office's network.
const PrefixLength = 16

// Leased reports whether a machine has no address until it has asked for one by DHCP.
func (m Machine) Leased() bool { return m.Name == Operator }

// Machines lists the machines at the bridge, the router first.
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

// MachineOf returns the machine of a name.
func MachineOf(name string) Machine {
	for _, m := range Machines() {
		if m.Name == name {
			return m
		}
	}
	panic("wire: no machine " + name)
}

// Address returns the address of a machine at the bridge.
func Address(name string) netip.Addr { return MachineOf(name).IP }
