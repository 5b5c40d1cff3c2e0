// SPDX-License-Identifier: Apache-2.0

package pcapfile

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"stillwatch/sensor/internal/packet"
)

const (
	snoopMagic   = "snoop\x00\x00\x00"
	snoopHeadLen = 16
	snoopRecLen  = 24
	snoopEther   = 4 // the link type of Ethernet
	// maxSnoopPad bounds the padding after a frame in bytes. Writers pad to multiples of 4 bytes, old hardware to larger ones.
	maxSnoopPad = 1 << 10
)

// snoopFile reads the records of a snoop file (RFC 1761). All numbers are big-endian.
type snoopFile struct{ begun bool }

// newSnoop returns a parser if head is the start of the identification of a snoop file, else nil.
func newSnoop(head []byte) *snoopFile {
	if len(head) < 4 || !bytes.HasPrefix([]byte(snoopMagic), head[:min(len(head), len(snoopMagic))]) {
		return nil
	}
	return &snoopFile{}
}

func (s *snoopFile) header(b []byte) error {
	version, link := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
	if string(b[:8]) != snoopMagic || version != 2 {
		return fmt.Errorf("the file header of snoop has version %d; only version 2 is known", version)
	}
	if link != snoopEther {
		return fmt.Errorf("the frames have the link type %d of snoop; only Ethernet is read", link)
	}
	s.begun = true
	return nil
}

// Parse implements Parser.
func (s *snoopFile) Parse(data []byte, frames []Frame, _ int64, limit int) (out []Frame, used, need int, err error) {
	if !s.begun {
		if len(data) < snoopHeadLen {
			return frames, 0, snoopHeadLen, nil
		}
		if err := s.header(data); err != nil {
			return frames, 0, 0, err
		}
		used = snoopHeadLen
	}
	for ; limit > 0; limit-- {
		if len(data)-used < snoopRecLen {
			return frames, used, snoopRecLen, nil
		}
		h := data[used:]
		orig, caplen, total := binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])
		switch {
		case caplen > MaxFrame:
			return frames, used, 0, fmt.Errorf("the record claims %d captured bytes; no frame has more than %d", caplen, MaxFrame)
		case total < snoopRecLen+caplen || total > snoopRecLen+caplen+maxSnoopPad:
			return frames, used, 0, fmt.Errorf("the record claims a length of %d bytes with %d captured bytes", total, caplen)
		}
		if len(data)-used < int(total) {
			return frames, used, int(total), nil
		}
		frames = append(frames, Frame{
			Time: int64(binary.BigEndian.Uint32(h[16:]))*nanosPerSec + min(int64(binary.BigEndian.Uint32(h[20:]))*1000, nanosPerSec-1),
			Off:  uint32(used + snoopRecLen), Len: caplen, OrigLen: max(caplen, orig), Link: packet.LinkEthernet,
		})
		used += int(total)
	}
	return frames, used, 0, nil
}
