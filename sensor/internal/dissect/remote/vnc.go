// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"bytes"
	"crypto/des"
	"encoding/binary"
	"math/bits"
	"strconv"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "vnc",
	Signs: "`RFB` and a version",
	Reads: "version, security types, logins by challenge",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Server, Order: 110, Looks: LooksVNC, New: NewVNC},
	},
})

const vncVersionLen = 12 // "RFB 003.008\n"

// LooksVNC recognizes the version that a VNC server sends first.
func LooksVNC(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.AnyPrefix(head, "RFB 003.", "RFB 004.", "RFB 005.")
}

// vncStream reads the handshake of VNC (RFC 6143 section 7.1): versions, security types, and the result of a login by challenge and
// response. Other logins, which are extensions, are not read.
type vncStream struct {
	login     logins.Attempt
	version   [2][]byte // nil until it was read
	pos       [2]int
	offered   bool   // the server has told its security types
	kind      byte   // the security type, 0 until it was chosen
	challenge []byte // nil until the server has sent it
	response  logins.Proof
	stopped   bool
}

// The security types of RFC 6143 section 7.2.
const (
	vncNone = 1
	vncAuth = 2
)

// NewVNC returns a dissector of VNC.
func NewVNC() dissect.Stream { return &vncStream{login: logins.Attempt{Protocol: "vnc"}} }

func (v *vncStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	for !v.stopped {
		b := head[min(v.pos[dir], len(head)):]
		n := 0
		switch {
		case v.version[dir] == nil:
			n = v.readVersion(dir, b)
		case dir == dissect.FromClient:
			n = v.client(b)
		case v.version[dissect.FromClient] != nil:
			n = v.server(b, sink)
		}
		if n == 0 && !v.stopped {
			if final && dir == dissect.FromServer {
				v.login.Result(dissect.OutcomeUnknown, sink)
			}
			return len(head) + 1
		}
		v.pos[dir] += n
	}
	return 0
}

// readVersion returns the length of the version, 0 if it is not complete.
func (v *vncStream) readVersion(dir int, b []byte) int {
	if len(b) < vncVersionLen {
		return 0
	}
	v.stopped = !bytes.HasPrefix(b, []byte("RFB 00")) || b[vncVersionLen-1] != '\n'
	v.version[dir] = bytes.Clone(b[:vncVersionLen-1])
	return vncVersionLen
}

// lists reports whether the version that both sides know has a list of security types: 3.7 and later.
func (v *vncStream) lists() bool {
	for _, version := range v.version {
		if string(version) < "RFB 003.007" {
			return false
		}
	}
	return true
}

// client reads the choice of a security type and the answer to the challenge.
func (v *vncStream) client(b []byte) int {
	const response = 16
	switch {
	case v.kind == 0 && v.offered && v.lists() && len(b) > 0:
		v.choose(b[0])
		return 1
	case v.kind == vncAuth && !v.login.Pending && len(b) >= response:
		v.response = logins.ProofOf(b[:response])
		v.login.Proof()
		return response
	}
	return 0
}

func (v *vncStream) choose(kind byte) {
	v.kind = kind
	v.stopped = kind != vncAuth
}

// server reads the security types, the challenge and the result.
func (v *vncStream) server(b []byte, sink dissect.Sink) int {
	const challenge, wordLen = 16, 4
	switch {
	case !v.offered:
		return v.types(b, sink)
	case v.kind == 0:
		return 0
	case v.challenge == nil:
		if len(b) < challenge {
			return 0
		}
		v.challenge = bytes.Clone(b[:challenge])
		return challenge
	case !v.login.Pending || len(b) < wordLen:
		return 0
	}
	result := dissect.OutcomeFailure
	if binary.BigEndian.Uint32(b) == 0 {
		result = dissect.OutcomeSuccess
		v.login.Prove(v.check())
	}
	v.login.Result(result, sink)
	v.stopped = true
	return wordLen
}

// check returns the check of the response: the challenge, encrypted by DES with the first eight bytes of the password as the key. The bits of
// each byte of the key are in the opposite order (RFC 6143 section 7.2.2, erratum 4951).
func (v *vncStream) check() logins.Check {
	challenge, sent := v.challenge, v.response
	return logins.NewVNCCheck(func(password string) bool {
		var key [des.BlockSize]byte
		copy(key[:], password)
		for i := range key {
			key[i] = bits.Reverse8(key[i])
		}
		c, err := des.NewCipher(key[:])
		if err != nil {
			return false
		}
		var out [2 * des.BlockSize]byte
		c.Encrypt(out[:], challenge)
		c.Encrypt(out[des.BlockSize:], challenge[des.BlockSize:])
		return sent.Is(string(out[:]))
	})
}

// types reads the list of security types, or before version 3.7 the one that the server has chosen. An empty list refuses the client.
func (v *vncStream) types(b []byte, sink dissect.Sink) int {
	text := append(bytes.Clone(v.version[dissect.FromServer]), ", security"...)
	if !v.lists() {
		if len(b) < 4 {
			return 0
		}
		kind := binary.BigEndian.Uint32(b)
		v.offered = true
		v.choose(byte(min(kind, 0xff)))
		v.report(strconv.AppendUint(append(text, ' '), uint64(kind), 10), sink)
		return 4
	}
	if len(b) == 0 || len(b) <= int(b[0]) {
		return 0
	}
	n := int(b[0])
	v.offered, v.stopped = true, n == 0
	for _, kind := range b[1 : 1+n] {
		text = strconv.AppendUint(append(text, ' '), uint64(kind), 10)
	}
	v.report(text, sink)
	return 1 + n
}

// report reports the version and the security types of the server by their numbers; 1 is none.
func (v *vncStream) report(text []byte, sink dissect.Sink) {
	if !v.stopped || v.kind != 0 {
		sink(&dissect.Banner{Protocol: "vnc", Text: parse.CleanText(text, dissect.MaxBanner)})
	}
}
