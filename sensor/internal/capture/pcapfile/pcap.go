// SPDX-License-Identifier: Apache-2.0

package pcapfile

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"stillwatch/sensor/internal/packet"
)

// Magic numbers of the pcap format (draft-ietf-opsawg-pcap section 4) and of its variants.
const (
	pcapMicro   = 0xa1b2c3d4
	pcapNano    = 0xa1b23c4d
	pcapKuznet  = 0xa1b2cd34 // Alexey Kuznetsov's libpcap: 8 more bytes in each record header
	pcapIXIAHW  = 0x1c0001ac // IXIA, nanoseconds; the length of all records follows the file header
	pcapIXIASW  = 0x1c0001ab // IXIA, microseconds; the same
	pcapHeadLen = 24
)

// pcapFile reads the records of a pcap file.
type pcapFile struct {
	swap    bool // big-endian
	unit    int64
	headLen int // of the file header
	recLen  int // of a record header

	magic   uint32 // magic and version as little-endian
	version uint32

	begun bool
	link  packet.LinkType
	fcs   uint32
	order lengthOrder
}

// lengthOrder is which of the two lengths of a record comes first, which differed before version 2.4.
type lengthOrder uint8

const (
	capturedFirst lengthOrder = iota
	originalFirst
	smallerFirst
)

// newPcap returns a parser if head is the magic number of a pcap file, else nil.
func newPcap(head []byte) *pcapFile {
	if len(head) < 4 {
		return nil
	}
	magic := binary.LittleEndian.Uint32(head)
	for _, swap := range []bool{false, true} {
		p := &pcapFile{swap: swap, unit: 1000, headLen: pcapHeadLen, recLen: 16, magic: magic}
		switch magic {
		case pcapMicro:
			return p
		case pcapNano:
			p.unit = 1
			return p
		case pcapKuznet:
			p.recLen = 24
			return p
		case pcapIXIASW:
			p.headLen += 4
			return p
		case pcapIXIAHW:
			p.headLen += 4
			p.unit = 1
			return p
		}
		magic = bits.ReverseBytes32(magic)
	}
	return nil
}

func (p *pcapFile) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if p.swap {
		return bits.ReverseBytes32(v)
	}
	return v
}

// header reads the version and the link type. If bit 26 of the link type field is set, frames end with a check sequence, and bits 28 to 31 are
// its length in units of 16 bits.
func (p *pcapFile) header(b []byte) {
	p.version = p.u32(b[4:])
	major, minor := p.version&0xffff, p.version>>16
	if p.swap {
		major, minor = minor, major
	}
	switch {
	case major == 2 && minor == 3:
		p.order = smallerFirst
	case major == 2 && minor < 3, major == 543: // 543.0 is what DG/UX wrote
		p.order = originalFirst
	}
	link := p.u32(b[20:])
	p.fcs = 0
	p.link = packet.LinkType(link)
	if link&(1<<26) != 0 {
		p.fcs = link >> 28 * 2
	}
	p.begun = true
}

// Parse implements Parser. It limits the fraction of a second to 999,999,999 ns: a larger one is invalid and must not advance the capture
// clock.
func (p *pcapFile) Parse(data []byte, frames []Frame, _ int64, limit int) (out []Frame, used, need int, err error) {
	for ; limit > 0; limit-- {
		if !p.begun {
			if len(data)-used < p.headLen {
				return frames, used, p.headLen, nil
			}
			p.header(data[used:])
			used += p.headLen
		}
		if len(data)-used < p.recLen {
			return frames, used, p.recLen, nil
		}
		h := data[used : used+16]
		caplen, orig := p.lengths(h)
		if caplen == 0 && p.begins(h) {
			p.begun = false
			continue
		}
		if caplen > MaxFrame {
			return frames, used, 0, fmt.Errorf("the record claims %d captured bytes; no frame has more than %d", caplen, MaxFrame)
		}
		need = p.recLen + int(caplen)
		if len(data)-used < need {
			return frames, used, need, nil
		}
		frames = append(frames, Frame{
			Time: int64(p.u32(h))*nanosPerSec + min(int64(p.u32(h[4:]))*p.unit, nanosPerSec-1),
			Off:  uint32(used + p.recLen), Len: caplen, OrigLen: orig, Link: p.link,
		})
		if p.fcs > 0 {
			stripFCS(&frames[len(frames)-1], p.fcs)
		}
		used += need
	}
	return frames, used, 0, nil
}

// begins reports whether a file header is in the place of a record: a capture was appended to another. Read as a record, it would be an empty
// frame in the year 2055.
func (p *pcapFile) begins(h []byte) bool {
	return p.u32(h) == p.magic && p.u32(h[4:]) == p.version && p.u32(h[12:]) == 0
}

// lengths returns the captured and the original length of a record. The original length is at least the captured one: some writers leave it 0,
// others do not count a VLAN tag that the kernel put back into the frame.
func (p *pcapFile) lengths(h []byte) (caplen, orig uint32) {
	caplen, orig = p.u32(h[8:]), p.u32(h[12:])
	if p.order == originalFirst || p.order == smallerFirst && caplen > orig {
		caplen, orig = orig, caplen
	}
	return caplen, max(caplen, orig)
}

// stripFCS removes a check sequence of n bytes from the end of the frame on the wire, and what was captured of it.
func stripFCS(f *Frame, n uint32) {
	if f.OrigLen >= n {
		f.OrigLen -= n
		f.Len = min(f.Len, f.OrigLen)
	}
}
