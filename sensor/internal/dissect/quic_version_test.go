// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Whatever number a version has, hellos of both directions are read if the keys are those of a version that is known.
func TestQUICVersions(t *testing.T) {
	const id = "client-id"
	hello := append(quicCryptoFrame(0, quicRealHello(t)), make([]byte, 900)...)
	answer := quicCryptoFrame(0, []byte("\x02\x00\x00\x28\x03\x03"+strings.Repeat("r", 32)+"\x00\x13\x01\x00\x00\x00"))
	packet := func(version, like uint32, dir int, frames []byte) []byte {
		return quicTestPacket(quicInitialKeys(like, []byte(id), dir), quicPacketShape{version, id, "", 1}, frames)
	}
	for _, x := range []struct {
		version uint32
		like    []uint32
	}{
		{quicVersion1, []uint32{quicVersion1}}, {quicVersion2, []uint32{quicVersion2}}, {quicVersion2Old, []uint32{quicVersion2Old}},
		{quicDraft22, []uint32{quicDraft22}}, {0xff000019, []uint32{quicDraft23}}, {quicDraft32, []uint32{quicDraft29}}, {quicDraft34, []uint32{quicVersion1}},
		{0xfaceb001, []uint32{quicDraft22, quicDraft23}}, {0xfaceb002, []uint32{quicDraft23}}, {0xfaceb00d, []uint32{quicDraft29}},
		{0xfaceb010, []uint32{quicVersion1}}, {0x3a4a5a6a, []uint32{quicVersion1, quicDraft29, quicDraft23, quicDraft22}},
		{0x50435131, []uint32{quicVersion1, quicDraft29, quicDraft23, quicDraft22}}, {0x91c17000, []uint32{quicDraft29}},
	} {
		for _, like := range x.like {
			t.Run(fmt.Sprintf("%#x like %#x", x.version, like), func(t *testing.T) {
				first := packet(x.version, like, FromClient, hello)
				if !quicLooks(first) {
					t.Error("not told")
				}
				var q quicConn
				var facts []Fact
				q.datagram(FromClient, first, func(f Fact) { facts = append(facts, f) })
				more := q.datagram(FromServer, packet(x.version, like, FromServer, answer), func(f Fact) { facts = append(facts, f) })
				if got := factsOf[TLSClientHello](facts); len(got) != 1 || got[0].SNI != "cam7.example" || len(got[0].Ciphers) == 0 {
					t.Error(dump(facts))
				}
				if more || len(factsOf[TLSServerHello](facts)) != 1 {
					t.Error(dump(facts))
				}
			})
		}
	}
}

// A datagram of an unknown version is QUIC only if its protection says so.
func TestQUICOfAnUnknownVersion(t *testing.T) {
	hello := append(quicCryptoFrame(0, quicRealHello(t)), make([]byte, 900)...)
	good := quicTestPacket(quicInitialKeys(quicVersion1, []byte("client-id"), FromClient), quicPacketShape{0x12345678, "client-id", "", 1}, hello)
	wrong := bytes.Clone(good)
	wrong[len(wrong)-1] ^= 1
	small := quicTestPacket(quicInitialKeys(quicVersion1, []byte("client-id"), FromClient), quicPacketShape{0x12345678, "client-id", "", 1}, hello[:600])
	short := quicTestPacket(quicInitialKeys(quicVersion1, []byte("id"), FromClient), quicPacketShape{0x12345678, "id", "", 1}, hello)
	for name, data := range map[string][]byte{"changed": wrong, "small": small, "a short connection id": short, "cut": good[:1199]} {
		if quicLooks(data) {
			t.Errorf("%s: taken for QUIC", name)
		}
	}
	if !quicLooks(good) {
		t.Error("not told")
	}
}
