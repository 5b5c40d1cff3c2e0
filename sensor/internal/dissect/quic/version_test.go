// SPDX-License-Identifier: Apache-2.0

package quic

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// TestQUICVersions checks that hellos of both directions are read under any version number if the keys are those of a known version.
func TestQUICVersions(t *testing.T) {
	const id = "client-id"
	hello := append(cryptoFrame(0, dissecttest.QUICHello(t)), make([]byte, 900)...)
	answer := cryptoFrame(0, []byte("\x02\x00\x00\x28\x03\x03"+strings.Repeat("r", 32)+"\x00\x13\x01\x00\x00\x00"))
	packet := func(version, like uint32, dir int, frames []byte) []byte {
		return testPacket(initialKeys(like, []byte(id), dir), packetShape{version, id, "", 1}, frames)
	}
	for _, x := range []struct {
		version uint32
		like    []uint32
	}{
		{version1, []uint32{version1}}, {version2, []uint32{version2}}, {version2Old, []uint32{version2Old}},
		{draft22, []uint32{draft22}}, {0xff000019, []uint32{draft23}}, {draft32, []uint32{draft29}}, {draft34, []uint32{version1}},
		{0xfaceb001, []uint32{draft22, draft23}}, {0xfaceb002, []uint32{draft23}}, {0xfaceb00d, []uint32{draft29}},
		{0xfaceb010, []uint32{version1}}, {0x3a4a5a6a, []uint32{version1, draft29, draft23, draft22}},
		{0x50435131, []uint32{version1, draft29, draft23, draft22}}, {0x91c17000, []uint32{draft29}},
	} {
		for _, like := range x.like {
			t.Run(fmt.Sprintf("%#x like %#x", x.version, like), func(t *testing.T) {
				first := packet(x.version, like, dissect.FromClient, hello)
				if !Looks(first, dissect.Ports{}) {
					t.Error("not recognized")
				}
				var q Conn
				var facts []dissect.Fact
				q.Datagram(dissect.FromClient, first, func(f dissect.Fact) { facts = append(facts, f) })
				more := q.Datagram(dissect.FromServer, packet(x.version, like, dissect.FromServer, answer), func(f dissect.Fact) { facts = append(facts, f) })
				if got := dissecttest.FactsOf[dissect.TLSClientHello](facts); len(got) != 1 || got[0].SNI != "cam7.example" || len(got[0].Ciphers) == 0 {
					t.Error(dissecttest.Dump(facts))
				}
				if more || len(dissecttest.FactsOf[dissect.TLSServerHello](facts)) != 1 {
					t.Error(dissecttest.Dump(facts))
				}
			})
		}
	}
}

// A datagram of an unknown version is QUIC only if the keys of a known version open it.
func TestQUICUnknownVersionNeedsProtection(t *testing.T) {
	hello := append(cryptoFrame(0, dissecttest.QUICHello(t)), make([]byte, 900)...)
	good := testPacket(initialKeys(version1, []byte("client-id"), dissect.FromClient), packetShape{0x12345678, "client-id", "", 1}, hello)
	wrong := bytes.Clone(good)
	wrong[len(wrong)-1] ^= 1
	small := testPacket(initialKeys(version1, []byte("client-id"), dissect.FromClient), packetShape{0x12345678, "client-id", "", 1}, hello[:600])
	short := testPacket(initialKeys(version1, []byte("id"), dissect.FromClient), packetShape{0x12345678, "id", "", 1}, hello)
	for name, data := range map[string][]byte{"changed": wrong, "small": small, "a short connection id": short, "cut": good[:1199]} {
		if Looks(data, dissect.Ports{}) {
			t.Errorf("%s: taken for QUIC", name)
		}
	}
	if !Looks(good, dissect.Ports{}) {
		t.Error("not recognized")
	}
}
