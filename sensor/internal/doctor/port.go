// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"slices"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/packet"
)

// Port is the configuration of an interface.
type Port struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac"`
	Driver    string   `json:"driver,omitempty"`
	MTU       int      `json:"mtu"`
	Up        bool     `json:"up"`
	Running   bool     `json:"running"` // there is a link
	Addresses []string `json:"addresses"`
	GRO       *bool    `json:"gro,omitempty"` // absent if the driver does not support it
	LRO       *bool    `json:"lro,omitempty"`
	Counters  Counters `json:"counters"`
	Modes     []Mode   `json:"modes"` // XDP modes, the best first

	mac    packet.MAC
	addrs  []packet.Addr
	synced *bool // whether something synchronizes the clock of this machine; nil: unknown
}

// Mode is an XDP mode with the reason why it is not available; "" if it is.
type Mode struct {
	Mode  string `json:"mode"`
	Error string `json:"error,omitempty"`
}

// takesPart reports whether a frame is from or to this machine. A cloud delivers what it mirrors to the MAC of the port, so packets between
// other addresses are not this machine's.
func (p *Port) takesPart(k *packet.Packet) bool {
	if !k.HasMAC || k.SrcMAC != p.mac && k.DstMAC != p.mac {
		return false
	}
	return !k.HasIP || len(p.addrs) == 0 || slices.Contains(p.addrs, k.Src) || slices.Contains(p.addrs, k.Dst)
}

// Counters has the frames that the port received during the check, and those that were lost, by place.
type Counters struct {
	Received uint64 `json:"received"`
	Sent     uint64 `json:"sent"`
	NIC      uint64 `json:"nic"`   // lost by the interface
	Ring     uint64 `json:"ring"`  // lost because the ring of AF_PACKET was full
	Queue    uint64 `json:"queue"` // lost by the input queue of the kernel
}

// Count copies the counters of a live source.
func (p *Port) Count(s capture.Stats) {
	p.Counters = Counters{s.Received, s.Sent, s.Drops.NIC, s.Drops.Ring, s.Drops.Queue}
	p.Running = p.Running && s.Blind == ""
}
