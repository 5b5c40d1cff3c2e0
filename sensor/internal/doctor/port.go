// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/packet"
)

// Port is an interface as it is set up.
type Port struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac"`
	Driver    string   `json:"driver,omitempty"`
	MTU       int      `json:"mtu"`
	Up        bool     `json:"up"`
	Running   bool     `json:"running"` // there is a link
	Addresses []string `json:"addresses"`
	GRO       *bool    `json:"gro,omitempty"` // absent: the driver does not know it
	LRO       *bool    `json:"lro,omitempty"`
	Counters  Counters `json:"counters"`

	mac packet.MAC
}

// Counters are the frames that came to the port during the look, and those that were lost, by place.
type Counters struct {
	Received uint64 `json:"received"`
	Sent     uint64 `json:"sent"`
	NIC      uint64 `json:"nic"`   // lost by the interface
	Ring     uint64 `json:"ring"`  // lost because the ring of AF_PACKET was full
	Queue    uint64 `json:"queue"` // lost by the input queue of the kernel
}

// Count takes what a live source has counted.
func (p *Port) Count(s capture.Stats) {
	p.Counters = Counters{s.Received, s.Sent, s.Drops.NIC, s.Drops.Ring, s.Drops.Queue}
	p.Running = p.Running && !s.Down
}
