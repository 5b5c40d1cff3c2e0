// SPDX-License-Identifier: Apache-2.0

// Package capture gives frames in batches: from files (file.go) today.
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

// Batch is a run of frames that share one buffer. A Source fills it; its owner may reuse it after it has read it.
type Batch struct {
	Data   []byte  // backing buffer, grown by the source to hold at least one frame
	Frames []Frame // reused: the source truncates and appends
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
}

// Source gives frames. Next fills b with the next frames and returns io.EOF, with no frames, after the last one.
// Damage ends a file, not the run: it is in Stats, and Next goes on with the next file.
type Source interface {
	Next(b *Batch) error
	Stats() Stats
	Close() error
}
