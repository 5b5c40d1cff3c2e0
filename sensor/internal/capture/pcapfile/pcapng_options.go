// SPDX-License-Identifier: Apache-2.0

package pcapfile

import (
	"fmt"

	"stillwatch/sensor/internal/packet"
)

// Options that are used (draft-ietf-opsawg-pcapng sections 3.5, 4.2 and 4.3).
const (
	optEnd        = 0
	optFlags      = 2 // of a packet
	optResolution = 9
	optFCS        = 13
	optOffset     = 14
)

// option returns the first option of b and the rest. An option that exceeds the block ends the list without an error: a packet must not be lost
// because of a bad option.
func (p *pcapngFile) option(b []byte) (code uint16, value, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, nil, false
	}
	code = p.u16(b)
	n := int(p.u16(b[2:]))
	if code == optEnd || n > len(b)-4 {
		return 0, nil, nil, false
	}
	return code, b[4 : 4+n], b[min(4+(n+3)&^3, len(b)):], true
}

// addInterface reads the body of an Interface Description Block.
func (p *pcapngFile) addInterface(body []byte) error {
	if len(body) < 8 {
		return fmt.Errorf("the interface description has only %d bytes", len(body))
	}
	if len(p.ifaces) >= maxInterfaces {
		return fmt.Errorf("the section describes more than %d interfaces", maxInterfaces)
	}
	i := iface{link: packet.LinkType(p.u16(body)), snap: p.u32(body[4:])}
	resolution, offset := byte(6), int64(0)
	for opts := body[8:]; ; {
		code, v, rest, ok := p.option(opts)
		if !ok {
			break
		}
		switch {
		case code == optResolution && len(v) == 1:
			resolution = v[0]
		case code == optOffset && len(v) == 8:
			offset = int64(p.u64(v))
		case code == optFCS && len(v) == 1:
			i.fcs = fcsBytes(v[0])
		}
		opts = rest
	}
	i.clock = newClock(resolution, offset)
	p.ifaces = append(p.ifaces, i)
	return nil
}

// fcsBytes returns if_fcslen in bytes. The specification says bits, but common writers use bytes. No link has a check sequence of 8 bytes or
// more, so values from 8 on are bits.
func fcsBytes(v byte) uint32 {
	if v >= 8 {
		return uint32(v / 8)
	}
	return uint32(v)
}

// packetFCS returns the length of the check sequence of a packet in bytes: bits 5 to 8 of its flags word if they are not 0, else fcs.
func (p *pcapngFile) packetFCS(opts []byte, fcs uint32) uint32 {
	for {
		code, v, rest, ok := p.option(opts)
		if !ok {
			return fcs
		}
		if code == optFlags && len(v) == 4 {
			if n := p.u32(v) >> 5 & 15; n > 0 {
				return n
			}
		}
		opts = rest
	}
}
