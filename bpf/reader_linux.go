// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"
)

// MaxRecord is the largest size of a record in bytes.
const MaxRecord = frameSize + 65600

// Record is what the ring buffer gives: the bytes of a frame, or counts of a session.
type Record struct {
	Counts *Counts // nil for a frame; points into the buffer of Read
	Data   []byte  // captured bytes of the frame, in the buffer of Read
	Off    int     // offset of Data in that buffer
	Time   uint64  // CLOCK_MONOTONIC, ns
	Wire   uint32  // length of the frame on the wire
	Reason Reason
}

// Reader reads records from the ring buffer. It has one caller at a time; Close may be called from any goroutine.
type Reader struct {
	ring *ringbuf.Reader
	rec  ringbuf.Record
}

// NewReader opens the ring buffer for reading.
func (p *Programs) NewReader() (*Reader, error) {
	r, err := ringbuf.NewReader(p.coll.Maps["ring"])
	if err != nil {
		return nil, fmt.Errorf("ring buffer: %w", err)
	}
	return &Reader{ring: r}, nil
}

// Read copies the next record to buf[:MaxRecord], which must be aligned to 8 bytes, and sets rec. It waits until the deadline
// (os.ErrDeadlineExceeded) or Close (os.ErrClosed).
func (r *Reader) Read(buf []byte, rec *Record) error {
	r.rec.RawSample = buf[:0:MaxRecord]
	if err := r.ring.ReadInto(&r.rec); err != nil {
		return err
	}
	b := r.rec.RawSample
	if len(b) >= frameSize && record(*(*uint32)(unsafe.Pointer(&b[0]))) == recordFrame {
		f := (*frame)(unsafe.Pointer(&b[0]))
		if n := frameSize + int(f.Captured); n <= len(b) {
			*rec = Record{Data: b[frameSize:n:n], Off: frameSize, Time: f.Time, Wire: f.Wire, Reason: Reason(f.Reason)}
			return nil
		}
	} else if len(b) >= countsSize && record(*(*uint32)(unsafe.Pointer(&b[0]))) == recordCounts {
		c := (*Counts)(unsafe.Pointer(&b[0]))
		*rec = Record{Counts: c, Time: c.Last}
		return nil
	}
	return fmt.Errorf("ring buffer: a record of %d bytes that is no frame and no counts", len(b))
}

// SetDeadline sets the deadline of Read; the zero time means none.
func (r *Reader) SetDeadline(t time.Time) { r.ring.SetDeadline(t) }

// Waiting reports whether there is a record to read.
func (r *Reader) Waiting() bool { return r.ring.AvailableBytes() > 0 }

// Close closes the ring buffer. A waiting Read returns.
func (r *Reader) Close() error { return r.ring.Close() }
