// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"net/netip"

	"stillwatch/sensor/internal/packet"
)

// Modes of live capture.
const (
	ModeAuto     = "auto" // XDP if available, else AF_PACKET
	ModeXDP      = "xdp"
	ModeAFPacket = "afpacket"
)

// MaxRingBytes bounds the memory of all AF_PACKET rings together: the offset of a frame has 32 bits.
const MaxRingBytes = 1<<32 - 1<<20

// LiveConfig configures live capture on an interface.
type LiveConfig struct {
	Iface string
	Mode  string // ModeAuto, ModeXDP or ModeAFPacket
	// Watched devices; the packets of others are only counted in the kernel. If both are empty, all devices are watched.
	Watch     []netip.Prefix
	WatchMACs []packet.MAC
	Drop      bool // XDP_DROP instead of XDP_PASS: the port is only a mirror
	Wait      bool // if the interface disappears, wait until it is back; else that is an error
	// For AF_PACKET: see AFPacketConfig.
	Rings, RingBytes, SnapLen int
}

// Live is a live source.
type Live struct {
	Source
	Mode string // "xdp offload", "xdp native", "xdp generic" or "afpacket"
	Why  string // why the mode was chosen, one line
	Maps bool   // it reads and writes BPF maps while it is open
}

// Copier is a source that only counts some packets of a session, and copies all of them on request.
type Copier interface {
	// FullCopy switches the full copy of a session on or off. It may be called from any goroutine.
	FullCopy(a, b packet.Addr, portA, portB uint16, proto uint8, on bool) error
}

// Copier returns the source as a Copier, nil if it copies everything anyway.
func (l *Live) Copier() Copier {
	c, _ := l.Source.(Copier)
	return c
}

// Finish prepares the end: the batches up to the next one without frames are the last ones, and bring all counts of the kernel.
func (l *Live) Finish() {
	if f, ok := l.Source.(interface{ Finish() }); ok {
		f.Finish()
	}
}
