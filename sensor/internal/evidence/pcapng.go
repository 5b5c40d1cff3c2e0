// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"encoding/binary"

	"stillwatch/sensor/internal/packet"
)

// Blocks and options of pcapng (IETF draft-ietf-opsawg-pcapng).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6

	optEnd         = 0
	optComment     = 1
	optApplication = 4 // of a section
	optResolution  = 9 // of an interface
)

// maxComment bounds the comment of a packet, and headRoom is the size of everything before the packets.
const (
	maxComment = 240
	headRoom   = 4 << 10
)

// blockSize returns at most how many bytes a packet takes.
func blockSize(n int) int { return 32 + (n+3)&^3 + 4 + maxComment + 4 }

// writer builds a file. Its interfaces are the link types in the order of the first packets.
type writer struct {
	links []packet.LinkType
	body  []byte
}

func newWriter() *writer { return &writer{} }

// packet adds a packet.
func (w *writer) packet(link packet.LinkType, at int64, orig uint32, data []byte, comment string) {
	iface := 0
	for iface < len(w.links) && w.links[iface] != link {
		iface++
	}
	if iface == len(w.links) {
		w.links = append(w.links, link)
	}
	b, start := begin(w.body, blockPacket)
	b = binary.LittleEndian.AppendUint32(b, uint32(iface))
	b = binary.LittleEndian.AppendUint32(b, uint32(uint64(at)>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(at))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint32(b, max(orig, uint32(len(data))))
	b = pad(append(b, data...))
	if comment != "" {
		b = option(b, optComment, comment[:min(len(comment), maxComment)])
		b = option(b, optEnd, "")
	}
	w.body = end(b, start)
}

// bytes returns the file with a comment about the whole.
func (w *writer) bytes(comment string) []byte {
	b, start := begin(nil, blockSection)
	b = binary.LittleEndian.AppendUint32(b, 0x1a2b3c4d)
	b = binary.LittleEndian.AppendUint16(b, 1) // version 1.0
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, 1<<64-1) // the length of the section is not given
	b = option(b, optComment, comment[:min(len(comment), headRoom/2)])
	b = option(b, optApplication, "stillwatch")
	b = end(option(b, optEnd, ""), start)
	for _, link := range w.links {
		b, start = begin(b, blockInterface)
		b = binary.LittleEndian.AppendUint16(b, uint16(link))
		b = binary.LittleEndian.AppendUint16(b, 0)
		b = binary.LittleEndian.AppendUint32(b, snapLen)
		b = option(b, optResolution, "\x09") // nanoseconds
		b = end(option(b, optEnd, ""), start)
	}
	return append(b, w.body...)
}

// begin appends the head of a block; end fills in its length and appends it again.
func begin(b []byte, kind uint32) (block []byte, start int) {
	start = len(b)
	b = binary.LittleEndian.AppendUint32(b, kind)
	return append(b, 0, 0, 0, 0), start
}

func end(b []byte, start int) []byte {
	n := uint32(len(b) - start + 4)
	binary.LittleEndian.PutUint32(b[start+4:], n)
	return binary.LittleEndian.AppendUint32(b, n)
}

func option(b []byte, code uint16, value string) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...))
}

// pad appends zeros up to a multiple of 4 bytes. All blocks begin at one.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
