// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"net/netip"

	"stillwatch/sensor/internal/packet"
)

// Modes of live capture.
const (
	ModeAuto     = "auto" // XDP where it can be had, else AF_PACKET
	ModeXDP      = "xdp"
	ModeAFPacket = "afpacket"
)

// MaxRingBytes bounds the memory of all rings of AF_PACKET together: frames have their place in it by 32 bits.
const MaxRingBytes = 1<<32 - 1<<20

// LiveConfig says how a port is listened to.
type LiveConfig struct {
	Iface string
	Mode  string // ModeAuto, ModeXDP or ModeAFPacket
	// What is of interest; the rest is counted in the kernel and let go. Nothing at all means everything.
	Watch     []netip.Prefix
	WatchMACs []packet.MAC
	Drop      bool // XDP_DROP instead of XDP_PASS: the port is a mirror and nothing else
	Wait      bool // an interface that goes is waited for, and listened to again
	// Of AF_PACKET: see AFPacketConfig.
	Rings, RingBytes, SnapLen int
}

// Live is a source at a port of this machine.
type Live struct {
	Source
	Mode string // "xdp offload", "xdp native", "xdp generic" or "afpacket"
	Why  string // it was chosen, one line
	Maps bool   // maps of the kernel are read and written as long as it is open
}

// Copier is a source that counts some packets of a session instead of handing them on, and hands on all of them if it is asked.
type Copier interface {
	// FullCopy switches that on or off for the session of two ends and an IP protocol. It may be called from any goroutine.
	FullCopy(a, b packet.Addr, portA, portB uint16, proto uint8, on bool) error
}

// Copier gives the source as one, nil if it hands on everything anyway.
func (l *Live) Copier() Copier {
	c, _ := l.Source.(Copier)
	return c
}

// Finish says that the batches up to the next one without frames are the last: what the kernel has counted comes with them.
func (l *Live) Finish() {
	if f, ok := l.Source.(interface{ Finish() }); ok {
		f.Finish()
	}
}
