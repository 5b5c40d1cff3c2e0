// SPDX-License-Identifier: Apache-2.0

package bpf

import "unsafe"

// Reason is what the program did with a packet: enum reason of types.h. Each packet adds to the counter of exactly one.
type Reason uint32

// The reasons. Packets of Edge to NoRoom are copied, those of Short, Malformed, Tunnel and Nesting because the program is uncertain.
const (
	Unwatched Reason = iota // of no watched device: only counted here
	Shunted                 // of a session whose start was copied: counted in the session
	Edge                    // copied: start or end of a session
	Head                    // copied: near the start of a session
	Discovery               // copied: a protocol that identifies devices
	Fragment                // copied: part of an IP datagram
	Full                    // copied: a full copy of the session was requested
	NoIP                    // copied: ARP, LLDP and other frames without IP
	Short                   // copied, uncertain: a header exceeds the frame
	Malformed               // copied, uncertain: a header contradicts itself or the frame
	Tunnel                  // copied, uncertain: an encapsulation that the kernel program does not decode
	Nesting                 // copied, uncertain: more layers than are parsed
	NoRoom                  // copied: the session table had no room
	RingFull                // lost: the ring buffer was full
	// NumReasons is the number of reasons.
	NumReasons = int(iota)
)

var reasonNames = [NumReasons]string{
	"unwatched", "shunted", "edge", "head", "discovery", "fragment", "full", "no_ip", "short", "malformed", "tunnel", "nesting",
	"no_room", "ring_full",
}

// String returns the stable snake_case name, which is also a metric label.
func (r Reason) String() string {
	if int(r) < NumReasons {
		return reasonNames[r]
	}
	return "unknown"
}

// Copied reports whether packets of r are copied to user space.
func (r Reason) Copied() bool { return r >= Edge && r <= NoRoom }

// event is enum event of types.h.
type event uint32

const (
	eventTold        event = iota // packets in counts that were reported
	eventLostCounted              // packets of RingFull that are in the counts of their session
	eventOpening                  // entries added to the map openings
	eventAgreed                   // entries removed from it, because the other endpoint has confirmed them
	numEvents        = int(iota)
)

// record is enum record of types.h.
type record uint32

const (
	recordFrame  record = 1
	recordCounts record = 2
)

// Counter counts packets, and the bytes of their frames.
type Counter struct{ Packets, Bytes uint64 }

// Counters is the counters of the program since it was loaded.
type Counters struct {
	Reasons [NumReasons]Counter
	// Evicted counts packets whose counts were lost because the entry of their session was evicted before they were reported. It is a lower
	// bound, and exact after two calls of Sweep without packets in between.
	Evicted uint64
	// EvictedOpenings counts SYN and SYN-ACK packets within a session that were evicted before the other endpoint confirmed them, up to the last
	// call of Sweep. It is a lower bound in the same way.
	EvictedOpenings uint64
}

// frame is struct frame of types.h.
type frame struct {
	Kind, Reason   uint32
	Time           uint64
	Wire, Captured uint32
}

const frameSize = int(unsafe.Sizeof(frame{}))

// Key is struct session_key of types.h: a session, regardless of direction. Lo is the endpoint that sorts first by address, then by port.
// Addresses are 16 bytes in network order, IPv4 as IPv4-mapped. Ports are 0 for protocols without ports, for ICMP the values that Community ID
// uses. V6 is 1 for IPv6.
type Key struct {
	Lo, Hi         [16]byte
	LoPort, HiPort uint16
	Proto, V6      uint8
	_              uint16
}

// Counts is struct counts of types.h: the packets of a session that were counted and not copied since its last counts. Index 0 is what Lo
// sent.
type Counts struct {
	kind                           uint32
	Gap                            uint32 // TCP: bytes that these packets acknowledge and that were never seen on the wire
	Key                            Key
	Packets, IPBytes, PayloadBytes [2]uint64
	Last                           uint64    // time of the last of them, CLOCK_MONOTONIC_COARSE, ns: up to one kernel tick early
	End                            [2]uint32 // TCP: sequence number after the highest seen; 0 if none was seen
}

const countsSize = int(unsafe.Sizeof(Counts{}))

// prefix4 and prefix6 are struct prefix4 and struct prefix6 of types.h.
type prefix4 struct {
	Bits uint32
	Addr [4]byte
}

type prefix6 struct {
	Bits uint32
	Addr [16]byte
}
