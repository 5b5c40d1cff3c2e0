// SPDX-License-Identifier: Apache-2.0

// Package capture reads frames in batches, from capture files (file.go) and from network interfaces (live_linux.go).
package capture

import (
	"stillwatch/sensor/internal/capture/pcapfile"
	"stillwatch/sensor/internal/packet"
)

// Frame is one captured frame: Data[Off:Off+Len] of its Batch.
type Frame = pcapfile.Frame

// Counts is the packets of one session that the kernel counted and did not copy.
type Counts = packet.Counts

// Batch is a run of frames that share one buffer. A Source fills it. Its owner may reuse it when it has processed the frames.
type Batch struct {
	Data   []byte  // backing buffer, grown by the source to hold at least one frame
	Frames []Frame // reused: the source truncates and appends
	More   bool    // more frames are available already: this batch need not be flushed
	// Clock is a time before which no frame will follow, nanoseconds since the Unix epoch, so that time advances while nothing arrives. It
	// is 0 if the source does not know (files).
	Clock int64
	// Counts is what the kernel counted since the last batch with counts, in the order of Before. The frames of the session before it are
	// in this or an earlier batch. Reused like Frames.
	Counts []Counts
	// File names the capture of the frames, also its place in an archive. Only files set it.
	File string
}

// Damage is a place in a capture file after which it cannot be read.
type Damage struct {
	File   string
	Packet uint64 // number of the last good packet in this file
	Offset int64  // byte offset of the damage in the (uncompressed) stream
	Reason string
}

// Stats counts what a source has read.
type Stats struct {
	Files, Frames, Bytes uint64
	BytesRead            uint64 // of the stored files, for progress
	BytesTotal           uint64 // 0 if not known (standard input)
	Damage               []Damage

	// The rest is for live sources.
	Received uint64 // frames that the kernel had for us, including Drops.Ring, Drops.XDP and those that were only counted
	Drops    Drops
	// Unclaimed is the counter "dropped" of the interface. Some drivers count lost frames there, but the kernel also counts frames of
	// protocols for which this machine has no other receiver, so it does not measure loss.
	Unclaimed  uint64
	Sent       uint64 // frames that the interface has sent
	Blind      string // why the port cannot receive: it is down, has no link, or is gone; "" if it can
	Traffic    uint64 // grows while frames arrive at the port, watched or not
	ClockSteps uint64 // how often the system clock was set
	// From the program in the kernel: packets by how it handled them, packets whose counts were lost because its table of sessions was full,
	// and SYN and SYN-ACK packets within a session that it evicted before their answer.
	Reasons                    map[string]uint64
	Uncounted, EvictedOpenings uint64
}

// Lost returns the number of frames that were lost, at any place.
func (d Drops) Lost() uint64 { return d.NIC + d.Ring + d.XDP + d.Queue }

// Drops counts lost frames by place.
type Drops struct {
	NIC   uint64 // at the interface: its buffers were full, or the driver was too slow
	Ring  uint64 // at the AF_PACKET ring, which was full
	XDP   uint64 // at the ring buffer of the XDP program, which was full
	Queue uint64 // at the input queue of the kernel, which all interfaces of the machine share
}

// Source reads frames. Next fills b with the next frames and returns io.EOF, without frames, after the last one. Damage ends a file, not the
// run: it is recorded in Stats, and Next continues with the next file. Next of a live source waits at most 100 ms and then returns a Clock
// without frames. The contents of b are valid until Next is called with the same b again.
type Source interface {
	Next(b *Batch) error
	Stats() Stats
	Close() error
}
