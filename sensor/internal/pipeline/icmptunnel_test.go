// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/sensor/internal/contract"
)

// echoHosts are the ends of pings: a device inside and a host outside, over IPv4 and IPv6.
type echoHosts struct {
	net      *netsim.Net
	near     [2]*netsim.Host
	far      [2]*netsim.Host
	sequence uint16
}

func newEchoHosts() *echoHosts {
	n := netsim.New(23)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	return &echoHosts{net: n,
		near: [2]*netsim.Host{n.Host("srv", "10.20.10.17", "b8:ca:3a:00:00:17", netsim.Linux), n.Host("srv6", "fd00:20::17", "b8:ca:3a:00:00:17", netsim.Linux)},
		far:  [2]*netsim.Host{n.External("198.51.100.90", netsim.Linux, 30*time.Millisecond), n.External("2001:db8:90::1", netsim.Linux, 30*time.Millisecond)}}
}

// exchange sends count requests, one in a second, and their replies; answer returns the payload of a reply, nil if there is none.
func (h *echoHosts) exchange(family, count int, ask func(i int) []byte, answer func(request []byte) []byte) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for i := range count {
		h.sequence++
		request := ask(i)
		h.net.Echo(at, h.near[family], h.far[family], false, 77, h.sequence, request)
		if b := answer(request); b != nil {
			h.net.Echo(at.Add(30*time.Millisecond), h.far[family], h.near[family], true, 77, h.sequence, b)
		}
		at = at.Add(time.Second)
	}
}

// clocked returns a payload that begins with a clock, as ping programs send it.
func clocked(i, head int, rest []byte) []byte {
	b := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(1772442000+i)), uint64(i)*997)[:head]
	return append(b, rest[head:]...)
}

// TestICMPTunnelIsFound replays tunnels and what resembles them.
func TestICMPTunnelIsFound(t *testing.T) {
	count := make([]byte, 1472)
	for i := range count {
		count[i] = byte(i)
	}
	same := func(request []byte) []byte { return request }
	none := func([]byte) []byte { return nil }
	fixed := func(b []byte) func(int) []byte { return func(int) []byte { return b } }
	for _, c := range []struct {
		name string
		play func(h *echoHosts, family int)
		want string
	}{
		{"tunnel", func(h *echoHosts, family int) {
			h.exchange(family, 30, func(int) []byte { return h.net.Bytes(300) }, func([]byte) []byte { return h.net.Bytes(700) })
		}, "high"},
		{"requests of a ping program, data in the replies", func(h *echoHosts, family int) {
			h.exchange(family, 40, func(i int) []byte { return clocked(i, 16, count[:100]) }, func([]byte) []byte { return h.net.Bytes(900) })
		}, "high"},
		{"data that nobody answers", func(h *echoHosts, family int) {
			h.exchange(family, 30, func(int) []byte { return h.net.Bytes(1400) }, none)
		}, "high"},
		{"ping of Linux", func(h *echoHosts, family int) {
			h.exchange(family, 100, func(i int) []byte { return clocked(i, 16, count[:1016]) }, same)
		}, ""},
		{"ping of macOS", func(h *echoHosts, family int) {
			h.exchange(family, 100, func(i int) []byte { return clocked(i, 8, count[:100]) }, same)
		}, ""},
		{"ping of OpenBSD", func(h *echoHosts, family int) {
			h.exchange(family, 100, func(i int) []byte {
				return append(append(clocked(i, 16, count)[:16:16], h.net.Bytes(8)...), count[24:100]...)
			}, same)
		}, ""},
		{"ping of Windows", func(h *echoHosts, family int) {
			h.exchange(family, 100, fixed([]byte(strings.Repeat("abcdefghijklmnopqrstuvw", 60))), same)
		}, ""},
		{"MTU probe with a pattern, too large to be answered", func(h *echoHosts, family int) {
			h.exchange(family, 60, func(i int) []byte { return clocked(i, 16, bytes.Repeat([]byte{0xde, 0xad, 0xbe, 0xef}, 360)) }, none)
		}, ""},
		{"fping with random data", func(h *echoHosts, family int) {
			h.exchange(family, 200, func(int) []byte { return h.net.Bytes(512) }, same)
		}, ""},
		{"a host that cuts what it returns", func(h *echoHosts, family int) {
			h.exchange(family, 200, func(int) []byte { return h.net.Bytes(512) }, func(b []byte) []byte { return b[:64] })
		}, ""},
		{"Cisco IP SLA", func(h *echoHosts, family int) {
			h.exchange(family, 100, func(i int) []byte { return clocked(i, 8, bytes.Repeat([]byte{0xab, 0xcd}, 50)) }, same)
		}, ""},
		{"SmokePing, lossy", func(h *echoHosts, family int) {
			lost := 0
			h.exchange(family, 200, func(i int) []byte { return clocked(i, 16, make([]byte, 1000)) }, func(b []byte) []byte {
				if lost++; lost%3 == 0 {
					return nil
				}
				return b
			})
		}, ""},
	} {
		for family, name := range []string{"ICMP", "ICMPv6"} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				h := newEchoHosts()
				c.play(h, family)
				device := contract.Entry{Name: "srv", Match: contract.Match{IP: h.near[family].IP}, Expect: contract.Normal, HasExpect: true}
				got := ""
				for _, a := range replayed(t, h.net, &contract.Inventory{Devices: []contract.Entry{device}}) {
					if a.Rule.ID == "D23" {
						got = a.Severity
						if !slices.Contains(a.Entities, "ip:"+h.far[family].IP.String()) {
							t.Errorf("the alert is about %v", a.Entities)
						}
					}
				}
				if got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		}
	}
}
