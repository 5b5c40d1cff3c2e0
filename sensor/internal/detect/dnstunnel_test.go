// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
)

const resolver = "10.20.1.53:53"

// ask plays a query and its answer, in a session of its own.
func (s *stage) ask(from, kind, name string) {
	v := s.open(17, from, resolver)
	s.event(detect.SessionFact, v, &dissect.DNSMessage{QName: name, QType: kind})
	s.event(detect.SessionFact, v, &dissect.DNSMessage{QName: name, QType: kind, Response: true, RCode: "NOERROR"})
}

// chunk returns a label of 40 characters that looks like data.
func chunk(i int) string {
	var b []byte
	for k := range 4 {
		h := fnv.New64a()
		fmt.Fprintf(h, "%d %d", k, i)
		b = binary.BigEndian.AppendUint64(b, h.Sum64())
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:25]))
}

// asks plays n queries.
func asks(n int, gap int64, from, kind string, name func(i int) string) func(*stage) {
	return func(s *stage) {
		for i := range n {
			s.ask(from, kind, name(i))
			s.wait(gap)
		}
	}
}

func TestDNSTunnelPage(t *testing.T) {
	checkPage(t, "D19", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		asks(20, 20*second, silent, "TXT", func(i int) string { return fmt.Sprintf("%s.%d.t.relay.example", chunk(i), i) })(s)
		return s
	})
}

func TestDNSTunnel(t *testing.T) {
	data := func(domain string) func(int) string { return func(i int) string { return chunk(i) + "." + domain } }
	numbered := func(domain string) func(int) string {
		return func(i int) string { return fmt.Sprintf("n%d.%s", i, domain) }
	}
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"names that look like data", asks(50, second, host, "A", data("relay.example")), []string{"medium domain relay.example 1"}},
		{"a silent device", asks(50, second, silent, "A", data("relay.example")), []string{"high domain relay.example 1"}},
		{"a suffix of two labels", asks(50, second, host, "A", data("relay.co.uk")), []string{"medium domain relay.co.uk 1"}},
		{"a name below a private suffix", asks(50, second, host, "A", data("me.duckdns.org")), []string{"medium domain me.duckdns.org 1"}},
		{"too few", asks(49, second, host, "A", data("relay.example")), nil},
		{"too slow", asks(200, minute, host, "A", data("relay.example")), nil},
		{"slow, a silent device", asks(101, 10*minute, silent, "A", numbered("relay.example")), []string{"high domain relay.example 2"}},
		{"short names", asks(90, second, host, "A", numbered("relay.example")), nil},
		{"text records", asks(20, second, host, "TXT", numbered("relay.example")), []string{"medium domain relay.example 1"}},
		{"null records of long names", asks(21, second, host, "NULL", data("relay.example")), []string{"medium domain relay.example 2"}},
		{"few names for text, again and again", asks(200, second, host, "TXT", func(i int) string { return fmt.Sprintf("n%d.vendor.example", i%5) }), nil},
		{"long names", asks(60, second, host, "A", func(i int) string { return strings.Repeat(fmt.Sprintf("%030d.", i), 6) + "relay.example" }), []string{"medium domain relay.example 4"}},
		{"a list of addresses", asks(90, second, silent, "TXT", func(i int) string { return fmt.Sprintf("%d.2.0.192.list.example", i) }), nil},
		{"a scanner for viruses", asks(90, second, host, "TXT", data("sophosxl.net")), nil},
		{"reverse lookups", asks(120, second, silent, "PTR", func(i int) string { return fmt.Sprintf("%d.1.20.10.in-addr.arpa", i) }), nil},
		{"a content network, a name each", asks(90, second, host, "A", func(i int) string { return chunk(i) + ".cloudfront.net" }), nil},
		{"a few names of a silent device", asks(300, minute, silent, "A", func(i int) string { return fmt.Sprintf("n%d.vendor.example", i%5) }), nil},
		{"a resolver asks for others", func(s *stage) {
			s.ask(silent, "A", "www.vendor.example")
			v := s.open(17, host, silent+":53")
			s.event(detect.SessionFact, v, &dissect.DNSMessage{QName: "a.b.example", QType: "A"})
			n := *v
			n.State, n.Packets = 2, [2]uint64{1, 1}
			s.event(detect.SessionState, &n, &dissect.DNSMessage{QName: "a.b.example", QType: "A", Response: true, RCode: "NOERROR"})
			asks(90, second, silent, "TXT", data("relay.example"))(s)
		}, nil},
		{"a workstation", func(s *stage) {
			s.with(host, device.Workstation, device.Probable)
			asks(60, second, host, "TXT", data("relay.example"))(s)
		}, []string{"medium domain relay.example 32"}},
		{"no domain", asks(90, second, silent, "TXT", func(i int) string { return chunk(i) }), nil},
		{"a name of dots", asks(30, second, silent, "TXT", func(i int) string { return strings.Repeat(".", i+4) }), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			c.do(s)
			s.want(t, "D19", c.want...)
		})
	}
}
