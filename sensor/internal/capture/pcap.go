// SPDX-License-Identifier: Apache-2.0

package capture

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
	swap    bool // the other byte order than ours, little-endian
	unit    int64
	headLen int // of the file header
	recLen  int // of a record header

	magic   uint32 // both in our byte order
	version uint32

	begun bool
	link  packet.LinkType
	fcs   uint32
	order lengthOrder
}

// lengthOrder says which of the two lengths of a record comes first: before version 2.4 that was not settled.
type lengthOrder uint8

const (
	capturedFirst lengthOrder = iota
	originalFirst
	smallerFirst
)

// newPcap gives a reader if head is the magic number of a pcap file, else nil.
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

// header reads the version and the link type. The upper bits of the link type field say whether frames end with a
// check sequence: bit 26 that they do, bits 28 to 31 its length in units of 16 bits.
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

// parse cuts a fraction of a second off at the last nanosecond of its second: a larger one is no time, and must not
// throw the capture clock forward by up to an hour.
func (p *pcapFile) parse(data []byte, b *Batch, _ int64, limit int) (used, need int, err error) {
	for ; limit > 0; limit-- {
		if !p.begun {
			if len(data)-used < p.headLen {
				return used, p.headLen, nil
			}
			p.header(data[used:])
			used += p.headLen
		}
		if len(data)-used < p.recLen {
			return used, p.recLen, nil
		}
		h := data[used : used+16]
		caplen, orig := p.lengths(h)
		if caplen == 0 && p.begins(h) {
			p.begun = false
			continue
		}
		if caplen > maxFrame {
			return used, 0, fmt.Errorf("the record claims %d captured bytes; no frame has more than %d", caplen, maxFrame)
		}
		need = p.recLen + int(caplen)
		if len(data)-used < need {
			return used, need, nil
		}
		b.Frames = append(b.Frames, Frame{
			Time: int64(p.u32(h))*nanosPerSec + min(int64(p.u32(h[4:]))*p.unit, nanosPerSec-1),
			Off:  uint32(used + p.recLen), Len: caplen, OrigLen: orig, Link: p.link,
		})
		if p.fcs > 0 {
			stripFCS(&b.Frames[len(b.Frames)-1], p.fcs)
		}
		used += need
	}
	return used, 0, nil
}

// begins recognises a second file header where a record should be: a capture was appended to another. Read as a record
// it would be an empty frame in the year 2055, and nonsense would follow.
func (p *pcapFile) begins(h []byte) bool {
	return p.u32(h) == p.magic && p.u32(h[4:]) == p.version && p.u32(h[12:]) == 0
}

// lengths gives the captured and the original length of a record. The original length is never the smaller one: some
// writers leave it 0, others do not count what the kernel put back into the frame (a VLAN tag).
func (p *pcapFile) lengths(h []byte) (caplen, orig uint32) {
	caplen, orig = p.u32(h[8:]), p.u32(h[12:])
	if p.order == originalFirst || p.order == smallerFirst && caplen > orig {
		caplen, orig = orig, caplen
	}
	return caplen, max(caplen, orig)
}

// stripFCS takes the check sequence of n bytes off the end of the frame as it was on the wire, as far as captured.
func stripFCS(f *Frame, n uint32) {
	if f.OrigLen >= n {
		f.OrigLen -= n
		f.Len = min(f.Len, f.OrigLen)
	}
}
