// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"encoding/binary"
	"os"
)

// eachFrame calls visit for the frames of a pcap or pcapng file, up to its end or its first damage. gopacket does not support link types above
// 255. Files of other formats have no frames.
func eachFrame(path string, visit func(link LinkType, frame []byte, origLen int)) error {
	b, err := os.ReadFile(path)
	if err != nil || len(b) < 24 {
		return err
	}
	if be32(b) == 0x0a0d0d0a {
		eachBlock(b, visit)
		return nil
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 0xd4 || b[0] == 0x4d {
		order = binary.LittleEndian
	}
	if magic := order.Uint32(b); magic != 0xa1b2c3d4 && magic != 0xa1b23c4d {
		return nil
	}
	link := LinkType(order.Uint32(b[20:]))
	for b = b[24:]; len(b) >= 16; {
		n, orig := int(order.Uint32(b[8:])), int(order.Uint32(b[12:]))
		if 16+n > len(b) {
			break
		}
		visit(link, b[16:16+n:16+n], orig)
		b = b[16+n:]
	}
	return nil
}

// eachBlock reads the interface, enhanced and simple packet blocks of pcapng.
func eachBlock(b []byte, visit func(link LinkType, frame []byte, origLen int)) {
	var order binary.ByteOrder = binary.LittleEndian
	var links []LinkType
	for len(b) >= 12 {
		if be32(b) == 0x0a0d0d0a {
			links, order = nil, binary.LittleEndian
			if bytes.Equal(b[8:12], []byte{0x1a, 0x2b, 0x3c, 0x4d}) {
				order = binary.BigEndian
			}
		}
		n := int(order.Uint32(b[4:]))
		if n < 12 || n > len(b) {
			return
		}
		switch body := b[8 : n-4]; order.Uint32(b) {
		case 1:
			if len(body) >= 8 {
				links = append(links, LinkType(order.Uint16(body)))
			}
		case 3:
			if len(body) >= 4 && len(links) > 0 {
				orig := int(order.Uint32(body))
				visit(links[0], cut(body[4:], orig), orig)
			}
		case 6:
			if len(body) >= 20 && int(order.Uint32(body)) < len(links) && 20+int(order.Uint32(body[12:])) <= len(body) {
				link := links[order.Uint32(body)]
				visit(link, cut(body[20:], int(order.Uint32(body[12:]))), int(order.Uint32(body[16:])))
			}
		}
		b = b[n:]
	}
}
