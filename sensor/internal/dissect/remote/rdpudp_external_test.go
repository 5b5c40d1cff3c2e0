// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"crypto/tls"
	"slices"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/remote"
)

// TLS in Remote Desktop over UDP, behind the headers of versions 1 and 3, and DTLS.
func TestRDPUDP(t *testing.T) {
	hello := dissecttest.TLSHello(t, &tls.Config{ServerName: "rdp.example"})
	swap := func(b []byte) []byte {
		b[0], b[7] = b[7], b[0]
		return b
	}
	v1 := func(record []byte) []byte {
		return slices.Concat([]byte("\x11\x22\x33\x44\x00\x40\x00\x0c\x00\x01\x16\x00\x00\x00\x00\x01\x00\x00\x00\x01"), record)
	}
	for name, head := range map[string]func([]byte) []byte{
		"version 1": v1,
		"version 3": func(r []byte) []byte { return swap(slices.Concat([]byte("\x00\x0c\x40\x00\x01\x00\x01"), r)) },
		"version 3 with an acknowledgement": func(r []byte) []byte {
			return swap(slices.Concat([]byte("\x00\x0d\x40\x00\x01\x00\x01\x16\x01\x02"), r))
		},
	} {
		var c dispatch.Conversation
		c.Reset(dissect.Ports{Client: 50000, Server: 9000}, nil)
		var facts []dissect.Fact
		sink := func(f dissect.Fact) { facts = append(facts, f) }
		c.Datagram(dissect.FromClient, remote.RDPSYN(0x1001), sink)
		c.Datagram(dissect.FromServer, remote.RDPSYN(0x1005), sink)
		c.Datagram(dissect.FromClient, head(hello), sink)
		if c.Datagram(dissect.FromServer, head(dissecttest.ServerHello), sink) {
			t.Errorf("%s: goes on", name)
		}
		hellos := dissecttest.FactsOf[dissect.TLSClientHello](facts)
		if dissecttest.AppOf(facts) != "rdp" || len(hellos) != 1 || hellos[0].SNI != "rdp.example" || len(dissecttest.FactsOf[dissect.TLSServerHello](facts)) != 1 {
			t.Errorf("%s: %s", name, dissecttest.Dump(facts))
		}
	}
}
