// SPDX-License-Identifier: Apache-2.0

package pcapfile

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"stillwatch/sensor/internal/packet"
)

// Block types of the pcapng format (draft-ietf-opsawg-pcapng section 4). Others are skipped.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockOldPacket = 2
	blockSimple    = 3
	blockEnhanced  = 6

	byteOrderMagic = 0x1a2b3c4d
	minBlock       = 12
	// maxBlock bounds a block in bytes: a frame and its options.
	maxBlock = MaxFrame + 1<<20
	// maxInterfaces bounds the interfaces of a section, because a file can claim any number.
	maxInterfaces = 4096
)

// pcapngFile reads the blocks of a pcapng file.
type pcapngFile struct {
	swap   bool // the section is big-endian
	ifaces []iface
}

// iface is an interface, from an Interface Description Block.
type iface struct {
	clock clock
	snap  uint32 // snap length; 0: no limit
	fcs   uint32 // length of the check sequence in bytes
	link  packet.LinkType
}

// newPcapng returns a parser if head is the type of a Section Header Block, else nil.
func newPcapng(head []byte) *pcapngFile {
	if len(head) < 4 || binary.LittleEndian.Uint32(head) != blockSection {
		return nil
	}
	return &pcapngFile{}
}

func (p *pcapngFile) u16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if p.swap {
		return bits.ReverseBytes16(v)
	}
	return v
}

func (p *pcapngFile) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if p.swap {
		return bits.ReverseBytes32(v)
	}
	return v
}

func (p *pcapngFile) u64(b []byte) uint64 {
	v := binary.LittleEndian.Uint64(b)
	if p.swap {
		return bits.ReverseBytes64(v)
	}
	return v
}

// Parse implements Parser.
func (p *pcapngFile) Parse(data []byte, frames []Frame, last int64, limit int) (out []Frame, used, need int, err error) {
	have := len(frames)
	for len(frames)-have < limit {
		rest := data[used:]
		if len(rest) < minBlock {
			return frames, used, minBlock, nil
		}
		// A section header contains its byte order, which must be read before its length.
		if binary.LittleEndian.Uint32(rest) == blockSection {
			if err := p.setOrder(rest[8:12]); err != nil {
				return frames, used, 0, err
			}
		}
		total := p.u32(rest[4:])
		if err := checkTotal(total); err != nil {
			return frames, used, 0, err
		}
		if len(rest) < int(total) {
			return frames, used, int(total), nil
		}
		if t := p.u32(rest[total-4:]); t != total {
			return frames, used, 0, fmt.Errorf("the block has the length %d at its start and %d at its end", total, t)
		}
		if n := len(frames); n > 0 {
			last = frames[n-1].Time
		}
		if frames, err = p.block(rest[:total-4], uint32(used), frames, last); err != nil {
			return frames, used, 0, err
		}
		used += int(total)
	}
	return frames, used, 0, nil
}

func checkTotal(total uint32) error {
	switch {
	case total < minBlock:
		return fmt.Errorf("the block claims a length of %d bytes; %d is the least", total, minBlock)
	case total%4 != 0:
		return fmt.Errorf("the block claims a length of %d bytes, which is no multiple of 4", total)
	case total > maxBlock:
		return fmt.Errorf("the block claims a length of %d bytes; no more than %d are taken", total, maxBlock)
	}
	return nil
}

func (p *pcapngFile) setOrder(magic []byte) error {
	switch v := binary.LittleEndian.Uint32(magic); v {
	case byteOrderMagic:
		p.swap = false
	case bits.ReverseBytes32(byteOrderMagic):
		p.swap = true
	default:
		return fmt.Errorf("the section header has 0x%08x where its byte order should be", v)
	}
	return nil
}

// block reads one block without its trailing length. at is its offset in the data.
func (p *pcapngFile) block(blk []byte, at uint32, frames []Frame, last int64) ([]Frame, error) {
	switch p.u32(blk) {
	case blockSection:
		return frames, p.section(blk)
	case blockInterface:
		return frames, p.addInterface(blk[8:])
	case blockEnhanced, blockOldPacket:
		return p.packet(blk, at, frames, last)
	case blockSimple:
		return p.simple(blk, at, frames, last)
	}
	return frames, nil
}

// section starts a section, which has its own interfaces.
func (p *pcapngFile) section(blk []byte) error {
	if len(blk) < 24 {
		return fmt.Errorf("the section header has only %d bytes", len(blk))
	}
	p.ifaces = p.ifaces[:0]
	if major := p.u16(blk[12:]); major != 1 {
		return fmt.Errorf("the section has version %d; only version 1 is known", major)
	}
	return nil
}

// packet reads an Enhanced Packet Block or the obsolete Packet Block, which differs in the first 8 bytes.
func (p *pcapngFile) packet(blk []byte, at uint32, frames []Frame, last int64) ([]Frame, error) {
	const head = 28
	if len(blk) < head {
		return frames, fmt.Errorf("the packet block has only %d bytes", len(blk))
	}
	id := p.u32(blk[8:])
	if p.u32(blk) == blockOldPacket {
		id = uint32(p.u16(blk[8:]))
	}
	if int(id) >= len(p.ifaces) {
		return frames, fmt.Errorf("the packet is of interface %d, but the section describes %d", id, len(p.ifaces))
	}
	caplen, orig := p.u32(blk[20:]), p.u32(blk[24:])
	if int64(caplen) > int64(len(blk)-head) {
		return frames, fmt.Errorf("the packet claims %d captured bytes in a block with room for %d", caplen, len(blk)-head)
	}
	i := &p.ifaces[id]
	t, ok := i.clock.nanos(uint64(p.u32(blk[12:]))<<32 | uint64(p.u32(blk[16:])))
	if !ok {
		t = last
	}
	frames = append(frames, Frame{
		Time: t,
		Off:  at + head, Len: caplen, OrigLen: max(caplen, orig), Link: i.link,
	})
	fcs := i.fcs
	if opts := head + int(caplen+3)&^3; opts < len(blk) {
		fcs = p.packetFCS(blk[opts:], fcs)
	}
	if fcs > 0 {
		stripFCS(&frames[len(frames)-1], fcs)
	}
	return frames, nil
}

// simple reads a Simple Packet Block: a packet of the first interface, without a time.
func (p *pcapngFile) simple(blk []byte, at uint32, frames []Frame, last int64) ([]Frame, error) {
	const head = 12
	if len(blk) < head {
		return frames, fmt.Errorf("the packet block has only %d bytes", len(blk))
	}
	if len(p.ifaces) == 0 {
		return frames, fmt.Errorf("the packet is of interface 0, but the section describes none")
	}
	i := &p.ifaces[0]
	orig := p.u32(blk[8:])
	caplen := orig
	if i.snap > 0 {
		caplen = min(caplen, i.snap)
	}
	if int64(caplen) > int64(len(blk)-head) {
		return frames, fmt.Errorf("the packet claims %d captured bytes in a block with room for %d", caplen, len(blk)-head)
	}
	frames = append(frames, Frame{Time: last, Off: at + head, Len: caplen, OrigLen: orig, Link: i.link})
	if i.fcs > 0 {
		stripFCS(&frames[len(frames)-1], i.fcs)
	}
	return frames, nil
}
