// SPDX-License-Identifier: Apache-2.0

package packet

import "bytes"

// Echo reports whether a packet is an echo request or reply (RFC 792, RFC 4443 section 4).
func (p *Packet) Echo() bool {
	switch p.Kind {
	case KindICMP:
		return p.SrcPort == 8 || p.SrcPort == 0
	case KindICMP6:
		return p.SrcPort == 128 || p.SrcPort == 129
	}
	return false
}

// MinEcho is the length in bytes from which on the payload of an echo message can carry data to speak of.
const MinEcho = 64

// echoStart is how many bytes at the start of an echo a ping program sets otherwise than the rest: its clock, and a check of OpenBSD.
// maxEchoPeriod is the longest pattern that one repeats: the 23 letters of Windows, and the 16 bytes of ping -p.
const (
	echoStart     = 24
	maxEchoPeriod = 32
)

// UsualEcho reports whether the payload of an echo message is one that ping programs and monitors send: it is short, or after its first bytes it
// repeats a pattern or counts up.
func UsualEcho(b []byte) bool {
	if len(b) < MinEcho {
		return true
	}
	b = b[echoStart:]
	if countsUp(b) {
		return true
	}
	for period := 1; period <= maxEchoPeriod; period++ {
		if bytes.Equal(b[period:], b[:len(b)-period]) {
			return true
		}
	}
	return false
}

func countsUp(b []byte) bool {
	for i, x := range b[1:] {
		if x != b[i]+1 {
			return false
		}
	}
	return true
}
