// SPDX-License-Identifier: Apache-2.0

package dns_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// shapes are unusual messages that are DNS on the ports of DNS.
func shapes(t testing.TB) map[string][]byte {
	const headerLen = 12
	plain := dissecttest.PackDNS(t, dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: dissecttest.DNSQuestion("www.example.com.", dnsmessage.TypeA)})
	with := func(b []byte, at int, values ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], values)
		return b
	}
	return map[string][]byte{
		"query":                        plain,
		"update":                       with(plain, 2, 5<<3),
		"notify":                       with(plain, 2, 4<<3),
		"opcode that is not in use":    with(plain, 2, 9<<3),
		"zero bit set":                 with(plain, 3, 0x40),
		"cut in the name":              plain[:20],
		"cut after the header":         plain[:headerLen],
		"bytes behind":                 slices.Concat(plain, []byte("trailer")),
		"a name that points at itself": with(plain, headerLen, 0xc0, headerLen),
		"class and type zero":          slices.Concat(plain[:len(plain)-4], make([]byte, 4)),
		"refused without question":     {0, 7, 0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0},
		"EDNS alone":                   {0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0},
		"an answer to nothing":         with(dissecttest.DNSResponse(t), 4, 0, 0),
		"two questions":                slices.Concat(with(plain, 4, 0, 2), plain[headerLen:]),
	}
}

func TestUnusualDNSMessages(t *testing.T) {
	for name, data := range shapes(t) {
		for port, app := range map[uint16]string{53: "dns", 5353: "mdns", 5355: "llmnr"} {
			for dir := range 2 {
				var c dispatch.Conversation
				c.Reset(dissect.Ports{Client: 40000, Server: port}, nil)
				var facts []dissect.Fact
				c.Datagram(dir, bytes.Clone(data), func(f dissect.Fact) { facts = append(facts, f) })
				if got := dissecttest.AppOf(facts); got != app {
					t.Errorf("%s at port %d, direction %d: %q", name, port, dir, got)
				}
			}
		}
	}
}

// TestOtherBytesOnPortOfDNS checks that the port alone does not make a message DNS.
func TestOtherBytesOnPortOfDNS(t *testing.T) {
	text := []byte("hello, this is a text that goes to port 53")
	for name, data := range map[string][]byte{"text": text, "zeros": make([]byte, 40), "ones": bytes.Repeat([]byte{0xff}, 40), "short": {0, 7, 1, 0}} {
		if got := dissecttest.AppOf(dispatchtest.Datagrams(dissect.Ports{Client: 40000, Server: 53}, data)); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestUnusualDNSOverTCP checks messages in any pieces, cut by the end of the stream, and a large zone transfer.
func TestUnusualDNSOverTCP(t *testing.T) {
	whole := func(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }
	transfer := bytes.Clone(dissecttest.DNSResponse(t))
	binary.BigEndian.PutUint16(transfer[6:], 900)
	for name, data := range shapes(t) {
		stream := whole(data)
		for cut := 1; cut <= len(stream); cut++ {
			var c dispatch.Conversation
			c.Reset(dissect.Ports{Client: 40000, Server: 53}, nil)
			var facts []dissect.Fact
			sink := func(f dissect.Fact) { facts = append(facts, f) }
			if c.Stream(dissect.FromClient, bytes.Clone(stream[:cut]), false, sink) != 0 {
				c.Stream(dissect.FromClient, bytes.Clone(stream), true, sink)
			}
			if got := dissecttest.AppOf(facts); got != "dns" {
				t.Errorf("%s, first %d bytes: %q", name, cut, got)
			}
		}
	}
	var facts []dissect.Fact
	var c dispatch.Conversation
	c.Reset(dissect.Ports{Client: 40000, Server: 53}, nil)
	c.Stream(dissect.FromServer, whole(transfer), true, func(f dissect.Fact) { facts = append(facts, f) })
	if got := dissecttest.AppOf(facts); got != "dns" {
		t.Errorf("zone transfer: %q", got)
	}
}
