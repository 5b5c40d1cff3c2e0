// SPDX-License-Identifier: Apache-2.0

// Package capture gives frames in batches: from files (file.go) and from the ports of this machine (live_linux.go).
package capture

import "stillwatch/sensor/internal/packet"

// Frame is one captured frame inside a batch: Data[Off:Off+Len] of its Batch.
type Frame struct {
	Time    int64  // nanoseconds since the Unix epoch
	Off     uint32 // start in Batch.Data
	Len     uint32 // captured length, bytes
	OrigLen uint32 // length on the wire, bytes
	Link    packet.LinkType
}

// Counts are packets of one session that the kernel counted and did not hand on.
type Counts = packet.Counts

// Batch is a run of frames that share one buffer. A Source fills it; its owner may reuse it after it has read it.
type Batch struct {
	Data   []byte  // backing buffer, grown by the source to hold at least one frame
	Frames []Frame // reused: the source truncates and appends
	More   bool    // set by the source: more is there already, so that nobody needs to hurry with this batch
	// Clock is a time before which no frame will follow, nanoseconds since the Unix epoch, so that time goes on while nothing arrives.
	// 0 from sources that cannot tell (files).
	Clock int64
	// Counts is what the kernel counted since the last batch that had some, in the order of Before. What a session's frames up to there
	// bring has been handed on before. Reused as Frames is.
	Counts []Counts
}

// Damage is a place at which a capture could not be read on.
type Damage struct {
	File   string
	Packet uint64 // number of the last good packet in this file
	Offset int64  // byte offset of the damage in the (uncompressed) stream
	Reason string
}

// Stats counts what a source has given.
type Stats struct {
	Files, Frames, Bytes uint64
	BytesRead            uint64 // of the stored files, so that progress can be shown
	BytesTotal           uint64 // 0 if not known (standard input)
	Damage               []Damage

	// Of live sources.
	Received uint64 // frames that the kernel had for us, with those of Drops.Ring, Drops.XDP and those that were only counted
	Drops    Drops
	// Unclaimed is what the interface calls dropped. Some drivers count lost frames there, but the kernel also those for whose protocol
	// there is no other receiver on this machine than us, so it is no measure of loss.
	Unclaimed  uint64
	Sent       uint64 // frames that the interface has sent
	Blind      string // why nothing can be heard at the port: it is down, has no link, or is gone; "" if something can
	Traffic    uint64 // grows while frames come to the port, whether they are wanted or not
	ClockSteps uint64 // how often the clock of the system was set
	// Of a program in the kernel: packets by the way in which they left it, and packets of which the counts were lost because the table of sessions in
	// the kernel was full.
	Reasons   map[string]uint64
	Uncounted uint64
}

// Lost gives the frames that were lost at any place.
func (d Drops) Lost() uint64 { return d.NIC + d.Ring + d.XDP + d.Queue }

// Drops counts frames that were lost, by the place where it happened.
type Drops struct {
	NIC   uint64 // by the interface: its buffers were full, or the driver could not follow
	Ring  uint64 // because the ring of AF_PACKET was full
	XDP   uint64 // because the ring buffer of the XDP program was full
	Queue uint64 // by the input queue of the kernel, which all interfaces of the machine share
}

// Source gives frames. Next fills b with the next frames and returns io.EOF, with no frames, after the last one.
// Damage ends a file, not the run: it is in Stats, and Next goes on with the next file.
// Next of a live source waits at most 100 ms and then returns no frames but a Clock. What it has put into b is valid until it is given
// the same b again.
type Source interface {
	Next(b *Batch) error
	Stats() Stats
	Close() error
}
