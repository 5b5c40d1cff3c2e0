// SPDX-License-Identifier: Apache-2.0

package bpf

import "unsafe"

// Reason is the way a packet left the program: enum reason of types.h. Each packet adds to the counter of exactly one.
type Reason uint32

// The reasons. The copied ones lie between Edge and NoRoom; of these Short, Malformed, Tunnel and Nesting are doubts.
const (
	Unwatched Reason = iota // touches no watched device: counted and let go
	Shunted                 // of a session whose beginning was copied: counted there and let go
	Edge                    // copied: opening or ending of a session
	Head                    // copied: of the beginning of a session
	Discovery               // copied: a protocol that tells what a device is
	Fragment                // copied: part of an IP datagram
	Full                    // copied: the whole session was asked for
	NoIP                    // copied: ARP, LLDP and whatever else has no IP inside
	Short                   // copied in doubt: a header lies beyond what is there
	Malformed               // copied in doubt: a header contradicts itself or the frame
	Tunnel                  // copied in doubt: an encapsulation that is not taken off in the kernel
	Nesting                 // copied in doubt: more layers than are followed
	NoRoom                  // copied: the session table did not take the session
	RingFull                // lost: the ring buffer was full
	// NumReasons is the number of reasons.
	NumReasons = int(iota)
)

var reasonNames = [NumReasons]string{
	"unwatched", "shunted", "edge", "head", "discovery", "fragment", "full", "no_ip", "short", "malformed", "tunnel", "nesting",
	"no_room", "ring_full",
}

// String gives the stable snake_case name, which is also the metric label.
func (r Reason) String() string {
	if int(r) < NumReasons {
		return reasonNames[r]
	}
	return "unknown"
}

// Copied reports whether packets that left so were handed to user space.
func (r Reason) Copied() bool { return r >= Edge && r <= NoRoom }

// event is enum event of types.h.
type event uint32

const (
	eventTold        event = iota // packets in the counts that were told
	eventLostCounted              // packets of RingFull that stand in the counts of their session
	numEvents        = int(iota)
)

// record is enum record of types.h.
type record uint32

const (
	recordFrame  record = 1
	recordCounts record = 2
)

// Counter counts the packets that left in one way, and the bytes of their frames.
type Counter struct{ Packets, Bytes uint64 }

// Counters is what the program has counted since it was loaded.
type Counters struct {
	Reasons [NumReasons]Counter
	// Evicted counts packets that were counted in a session, whose entry then had to make room before they were told: at least so
	// many. It is exact when Sweep has been called twice and nothing came meanwhile.
	Evicted uint64
}

// frame is struct frame of types.h.
type frame struct {
	Kind, Reason   uint32
	Time           uint64
	Wire, Captured uint32
}

const frameSize = int(unsafe.Sizeof(frame{}))

// Key is struct session_key of types.h: a session, whatever its direction. Lo is the end that sorts first by address, then by
// port. Addresses are 16 bytes in network order, IPv4 as IPv4-mapped; ports are 0 without ports, and for ICMP what Community
// ID takes for them. V6 is 1 for IPv6.
type Key struct {
	Lo, Hi         [16]byte
	LoPort, HiPort uint16
	Proto, V6      uint8
	_              uint16
}

// Counts is struct counts of types.h: the packets of a session that were counted and not copied since its last counts. Index
// 0 is what the end Lo has sent.
type Counts struct {
	kind                           uint32
	Gap                            uint32 // TCP: bytes that these packets acknowledge and that were never seen on the wire
	Key                            Key
	Packets, IPBytes, PayloadBytes [2]uint64
	Last                           uint64    // time of the last of them, CLOCK_MONOTONIC_COARSE, ns: up to a tick of the kernel early
	End                            [2]uint32 // TCP: sequence number after the highest that was seen; 0 if none was
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
