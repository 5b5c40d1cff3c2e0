// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
)

// hello plays a session that begins with a hello.
func (s *stage) hello(proto uint8, from, to string, h dissect.TLSClientHello) {
	h.QUIC = proto == 17
	v := s.connectOver(proto, from, to)
	s.event(detect.SessionFact, v, &h)
}

// connectOver opens a session that is answered.
func (s *stage) connectOver(proto uint8, from, to string) *session.View {
	if proto == 6 {
		return s.connect(from, to)
	}
	return s.open(proto, from, to)
}

func TestEncryptedDNSPage(t *testing.T) {
	checkPage(t, "D21", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for range 2 {
			s.hello(6, silent, publicResolver+":443", dissect.TLSClientHello{SNI: "dns.google"})
			s.wait(minute)
		}
		return s
	})
}

func TestEncryptedDNS(t *testing.T) {
	role := func(r device.Role) func(*stage) { return func(s *stage) { s.with(host, r, device.Probable) } }
	allowed := legacy()
	allowed.Allow = []contract.Rule{{Text: "out tcp", Direction: session.Out, Proto: "tcp", Peer: contract.Peer{Prefix: netip.MustParsePrefix(publicResolver + "/32")}}}
	doh := dissect.TLSClientHello{SNI: "dns.google"}
	for _, c := range []struct {
		name     string
		entry    contract.Entry
		before   func(*stage)
		proto    uint8
		from, to string
		h        dissect.TLSClientHello
		want     []string
	}{
		{"by name, silent", legacy(), nil, 6, silent, publicResolver + ":443", doh, []string{"high DoH dns.google 1"}},
		{"by name, over QUIC, a camera", legacy(), role(device.Camera), 17, host, publicResolver + ":443", doh, []string{"medium DoH dns.google 1"}},
		{"a name below a listed one, a recorder", legacy(), role(device.NVR), 6, host, publicResolver + ":443", dissect.TLSClientHello{SNI: "abc123.dns.nextdns.io"}, []string{"medium DoH abc123.dns.nextdns.io 1"}},
		{"by name, a printer", legacy(), role(device.Printer), 6, host, publicResolver + ":443", doh, []string{"low DoH dns.google 1"}},
		{"port 853, no name", legacy(), role(device.Camera), 6, host, publicResolver + ":853", dissect.TLSClientHello{}, []string{"medium DoT 198.51.100.53 1"}},
		{"port 8853 over QUIC", legacy(), role(device.Camera), 17, host, publicResolver + ":8853", dissect.TLSClientHello{SNI: "ns.example"}, []string{"medium DoQ ns.example 1"}},
		{"by ALPN on another port", legacy(), role(device.Camera), 6, host, publicResolver + ":443", dissect.TLSClientHello{SNI: "ns.example", ALPN: []string{"dot"}}, []string{"medium DoT ns.example 1"}},
		{"by ALPN, over QUIC", legacy(), role(device.Camera), 17, host, publicResolver + ":443", dissect.TLSClientHello{SNI: "ns.example", ALPN: []string{"doq"}}, []string{"medium DoQ ns.example 1"}},
		{"a workstation", legacy(), role(device.Workstation), 6, host, publicResolver + ":443", doh, nil},
		{"a host of unknown role", legacy(), nil, 6, host, publicResolver + ":443", doh, nil},
		{"another name", legacy(), role(device.Camera), 6, host, publicResolver + ":443", dissect.TLSClientHello{SNI: "www.google.com", ALPN: []string{"h2"}}, nil},
		{"a resolver inside", legacy(), nil, 6, silent, "10.20.1.53:853", dissect.TLSClientHello{}, nil},
		{"allowed by contract", allowed, nil, 6, silent, publicResolver + ":853", dissect.TLSClientHello{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, c.entry)
			if c.before != nil {
				c.before(s)
			}
			s.hello(c.proto, c.from, c.to, c.h)
			s.want(t, "D21", c.want...)
		})
	}
	t.Run("a resolver that the inventory lists", func(t *testing.T) {
		s := pinnedStage(t, legacy())
		s.c.Contracts = contract.New(&contract.Inventory{Devices: []contract.Entry{legacy()}, Infrastructure: contract.Infrastructure{
			DNS: []contract.Host{{Prefix: netip.MustParsePrefix(publicResolver + "/32")}}}}, contract.Config{})
		s.hello(6, silent, publicResolver+":853", dissect.TLSClientHello{})
		s.want(t, "D21")
	})
}

// TestEncryptedDNSFlood checks that many names cause a bounded number of revisions.
func TestEncryptedDNSFlood(t *testing.T) {
	s := newStage(t, legacy())
	for i := range 1000 {
		s.hello(6, silent, publicResolver+":853", dissect.TLSClientHello{SNI: fmt.Sprintf("n%d.ns.example", i)})
	}
	n := 0
	for _, a := range s.got {
		if a.Rule.ID == "D21" {
			n++
		}
	}
	if n == 0 || n > 200 {
		t.Errorf("%d revisions", n)
	}
}
