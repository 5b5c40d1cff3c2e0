// SPDX-License-Identifier: Apache-2.0

package session

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the specification asks for SHA-1; it is a name here, not a protection
	"encoding/base64"
	"encoding/binary"
	"strings"

	"stillwatch/sensor/internal/packet"
)

// CommunityID returns the Community ID of a session, version 1, seed 0 (corelight/community-id-spec).
func CommunityID(v *View) string { return communityIDOf(v).String() }

// CommunityHash is a Community ID, version 1, in binary form.
type CommunityHash [sha1.Size]byte

const communityPrefix = "1:"

// String returns the text form.
func (h CommunityHash) String() string {
	return communityPrefix + base64.StdEncoding.EncodeToString(h[:])
}

// ParseCommunityID is the inverse of String.
func ParseCommunityID(text string) (h CommunityHash, ok bool) {
	body, ok := strings.CutPrefix(text, communityPrefix)
	b, err := base64.StdEncoding.DecodeString(body)
	if !ok || err != nil || len(b) != len(h) {
		return h, false
	}
	return CommunityHash(b), true
}

// CommunityIDsOf appends the Community ID that a session has if p, a packet with an IP header, is its first packet. It appends a second one if
// packets of the other direction belong to the same session, but would give it another Community ID: ICMP messages without an answer whose
// type is also their code.
func CommunityIDsOf(ids []CommunityHash, p *packet.Packet) []CommunityHash {
	v := View{Proto: p.Proto, V6: p.V6, ICMPType: uint8(p.SrcPort), ICMPCode: uint8(p.DstPort), HasPorts: hasPorts(p.Proto)}
	v.Initiator, v.Responder = Endpoint{Addr: p.Src}, Endpoint{Addr: p.Dst}
	if v.HasPorts {
		v.Initiator.Port, v.Responder.Port = p.SrcPort, p.DstPort
		return append(ids, communityIDOf(&v))
	}
	ids = append(ids, communityIDOf(&v))
	if p.SrcPort == p.DstPort && !answerable(p) {
		v.Initiator, v.Responder = v.Responder, v.Initiator
		ids = append(ids, communityIDOf(&v))
	}
	return ids
}

// answerable reports whether p is a message of ICMP that has an answer, or is one, or no message of ICMP.
func answerable(p *packet.Packet) (twoWay bool) {
	switch p.Kind {
	case packet.KindICMP:
		_, _, twoWay = icmpPorts(icmp4Pairs[:], p.SrcPort, p.DstPort)
	case packet.KindICMP6:
		_, _, twoWay = icmpPorts(icmp6Pairs[:], p.SrcPort, p.DstPort)
	default:
		return true
	}
	return twoWay
}

// Flow is the five-tuple of a session, the same in both directions.
type Flow struct{ key key }

// FlowOf returns the five-tuple of a packet with an IP header.
func FlowOf(p *packet.Packet) (f Flow) {
	f.key.of(p)
	return f
}

func communityIDOf(v *View) CommunityHash {
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
	return sha1.Sum(buf)
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
