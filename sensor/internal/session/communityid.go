// SPDX-License-Identifier: Apache-2.0

package session

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the specification asks for SHA-1; it is a name here, not a protection
	"encoding/base64"
	"encoding/binary"

	"stillwatch/sensor/internal/packet"
)

// CommunityID returns the Community ID of a session, version 1, seed 0 (corelight/community-id-spec).
func CommunityID(v *View) string {
	src, dst := v.Initiator.Addr, v.Responder.Addr
	sp, dp, oneWay := v.Initiator.Port, v.Responder.Port, false
	switch {
	case v.Proto == protoICMP && !v.V6:
		sp, dp, oneWay = communityICMP(icmp4Pairs[:], v)
	case v.Proto == protoICMP6 && v.V6:
		sp, dp, oneWay = communityICMP(icmp6Pairs[:], v)
	}
	a, b := addrBytes(&src, v.V6), addrBytes(&dst, v.V6)
	if c := bytes.Compare(a, b); !oneWay && (c > 0 || c == 0 && sp > dp) {
		a, b, sp, dp = b, a, dp, sp
	}
	buf := make([]byte, 0, 40)
	buf = append(buf, 0, 0) // seed
	buf = append(buf, a...)
	buf = append(buf, b...)
	buf = append(buf, v.Proto, 0)
	if v.HasPorts || v.Proto == protoICMP && !v.V6 || v.Proto == protoICMP6 && v.V6 {
		buf = binary.BigEndian.AppendUint16(buf, sp)
		buf = binary.BigEndian.AppendUint16(buf, dp)
	}
	sum := sha1.Sum(buf)
	return "1:" + base64.StdEncoding.EncodeToString(sum[:])
}

// communityICMP returns the values used as ports for an ICMP type and code, as the initiator sees them.
func communityICMP(pairs []icmpPair, v *View) (src, dst uint16, oneWay bool) {
	typ, other, twoWay := icmpPorts(pairs, uint16(v.ICMPType), uint16(v.ICMPCode))
	if answer, _ := icmpAnswers(pairs, uint16(v.ICMPType)); answer && v.Basis == BasisRequest {
		typ, other = other, typ // the first packet came from the responder
	}
	return typ, other, !twoWay
}

func addrBytes(a *packet.Addr, v6 bool) []byte {
	if v6 {
		return a[:]
	}
	return a[12:]
}
