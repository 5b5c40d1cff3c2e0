// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"encoding/binary"
	"io"
)

const (
	second      = int64(1e9)
	millisecond = int64(1e6)
	microsecond = int64(1e3)

	recordHead = 16
	outputSize = 1 << 20
)

// output writes a little-endian pcap file with microseconds and merges the story into it.
type output struct {
	w       io.Writer
	buf     []byte
	err     error
	story   []Packet // not yet written
	packets int
	bytes   int64
}

func newOutput(w io.Writer, story []Packet) *output {
	o := &output{w: w, buf: make([]byte, 0, outputSize), story: story}
	h := make([]byte, 24)
	le := binary.LittleEndian
	le.PutUint32(h, 0xa1b2c3d4)
	le.PutUint16(h[4:], 2)
	le.PutUint16(h[6:], 4)
	le.PutUint32(h[16:], 262144)
	le.PutUint32(h[20:], 1) // Ethernet
	o.buf = append(o.buf, h...)
	return o
}

// frame returns the n bytes of a new frame to fill in before the next call; they are not cleared. Times must not go
// back.
func (o *output) frame(t int64, n int) []byte {
	for len(o.story) > 0 && o.story[0].Time <= t {
		p := o.story[0]
		o.story = o.story[1:]
		copy(o.record(p.Time, len(p.Data), max(p.OrigLen, len(p.Data))), p.Data)
	}
	return o.record(t, n, n)
}

func (o *output) record(t int64, n, orig int) []byte {
	if len(o.buf)+recordHead+n > cap(o.buf) {
		o.flush()
		if recordHead+n > cap(o.buf) {
			o.buf = make([]byte, 0, recordHead+n)
		}
	}
	at := len(o.buf)
	o.buf = o.buf[:at+recordHead+n]
	h, le := o.buf[at:], binary.LittleEndian
	le.PutUint32(h, uint32(t/second))
	le.PutUint32(h[4:], uint32(t%second/microsecond))
	le.PutUint32(h[8:], uint32(n))
	le.PutUint32(h[12:], uint32(orig))
	o.packets++
	return o.buf[at+recordHead:]
}

func (o *output) flush() {
	if o.err == nil {
		var n int
		n, o.err = o.w.Write(o.buf)
		o.bytes += int64(n)
	}
	o.buf = o.buf[:0]
}

// close writes the rest of the story and what is buffered.
func (o *output) close() error {
	for _, p := range o.story {
		copy(o.record(p.Time, len(p.Data), max(p.OrigLen, len(p.Data))), p.Data)
	}
	o.story = nil
	o.flush()
	return o.err
}
