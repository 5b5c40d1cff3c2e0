// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:   "rtp",
	Signs:  "3 datagrams in a row: version 2, same source and payload type, rising numbers; or ports announced in RTSP",
	Reads:  "payload type, codec, whether it is video and goes one way",
	Login:  protocol.LoginNone,
	Beside: "UDP",
})

// RTP recognizes media over UDP by several datagrams of one direction: same source, same payload type, numbers that rise by one or a few
// (RFC 3550 section 5.1). One header alone has too few fixed bits.
type RTP struct {
	source [2]uint32
	number [2]uint16
	kind   [2]uint8 // payload type
	run    [2]uint8 // datagrams in a row that fit
}

// rtpRun is how many datagrams of one direction must fit.
const rtpRun = 3

// Repeats reports whether a datagram is the last one that was needed.
func (r *RTP) Repeats(dir int, b []byte) bool {
	const maxStep = 8 // lost or exchanged datagrams
	if !rtpHeader(b) {
		r.run[dir] = 0
		return false
	}
	number, source, kind := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:]), b[1]&0x7f
	step := number - r.number[dir]
	if source != r.source[dir] || kind != r.kind[dir] || step == 0 || step > maxStep {
		r.run[dir] = 0
	}
	r.run[dir]++
	r.number[dir], r.source[dir], r.kind[dir] = number, source, kind
	return r.run[dir] >= rtpRun
}

// Pending reports whether the last datagram of a direction followed the one before, so that the next may decide.
func (r *RTP) Pending(dir int) bool { return r.run[dir] > 1 }

// rtpHeader checks what one header shows: version 2, a payload type of RFC 3551 or a dynamic one, a source, and room for the header with its
// list of sources.
func rtpHeader(b []byte) bool {
	const headLen, version, dynamic, lastStatic = 12, 2, 96, 34
	if len(b) < headLen || b[0]>>6 != version || len(b) < headLen+4*int(b[0]&15) {
		return false
	}
	kind := b[1] & 0x7f
	return (kind >= dynamic || kind <= lastStatic) && binary.BigEndian.Uint32(b[8:]) != 0
}
