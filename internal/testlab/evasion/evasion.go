// SPDX-License-Identifier: Apache-2.0

// Package evasion builds captures of attacks that try to stay unseen, packet by packet. Each case says which rule must report the attack, or
// why none does.
package evasion

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// Case is an attack with what the sensor must make of it.
type Case struct {
	Name   string // of the capture, without extension
	Group  string
	Trick  string // what the attacker does, a sentence
	Rule   string // that reports it, or would
	Device string // key of the device that the alert is about
	Missed string // why Rule does not report it, a sentence; empty if it must
	Bare   bool   // replayed without the inventory
	build  func(*site)
}

// Capture returns the capture as a pcap file. It is the same each time.
func (c *Case) Capture() ([]byte, error) {
	s := newSite()
	c.build(s)
	var b bytes.Buffer
	if _, err := s.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("case %s: %w", c.Name, err)
	}
	return b.Bytes(), nil
}

// Cases returns all cases, by group.
func Cases() []Case {
	return slices.Concat(covert(), sideChannels(), calls(), logins(), addresses(), segments(), openings(), fragments(), requests(), tunnels())
}

// Inventory is that of the site of all cases.
const Inventory = `version: 1
networks:
  internal: [10.20.0.0/16, "2001:db8:20::/48"]
zones:
  cameras: [10.20.30.0/24]
infrastructure:
  dns: [10.20.1.53]
  ntp: [192.0.2.123]
devices:
  - name: srv-legacy
    match: {mac: "b8:ca:3a:00:00:17"}
    expect: silent
  - name: srv-gate
    match: {mac: "ac:1f:6b:00:00:21"}
    expect: allowlist
    allow:
      - {direction: in, proto: tcp, port: 443}
      - {direction: out, peer: 203.0.113.0/24, proto: tcp, port: 443}
  - name: nvr
    match: {mac: "44:19:b6:00:00:05"}
    expect: allowlist
    allow:
      - {direction: out, peer: "zone:cameras", proto: tcp, port: 554}
      - {direction: out, peer: "*.cdn.example.net", proto: tcp, port: 443}
      - {direction: in, peer: 10.20.50.21, proto: tcp, port: 80}
  - name: cam-01
    match: {mac: "44:19:b6:00:01:01"}
    expect: server_only
    allow:
      - {direction: in, peer: 10.20.30.5, proto: tcp, port: 554}
`

// site is the network of all cases: a segment with a resolver, cameras, a recorder, two servers and two workstations, which the inventory does
// not name. start is when the attack begins, ten minutes into the capture.
type site struct {
	*netsim.Net
	start                                             time.Time
	router, dns, admin, legacy, gate, nvr, cam, clerk *netsim.Host
	ntp, attacker, other                              *netsim.Host
}

// Start is when the attacks begin.
func Start() time.Time { return time.Date(2026, 3, 2, 8, 10, 0, 0, time.UTC) }

func newSite() *site {
	n := netsim.New(13)
	s := &site{Net: n, start: Start(), router: n.Router("10.20.1.1", "00:1b:54:00:00:01")}
	s.dns = n.Host("dns", "10.20.1.53", "ac:1f:6b:00:01:53", netsim.Linux)
	s.admin = n.Host("ws-admin", "10.20.50.21", "00:1e:c9:00:00:21", netsim.Windows)
	s.clerk = n.Host("ws-clerk", "10.20.50.22", "00:1e:c9:00:00:22", netsim.Windows)
	s.legacy = n.Host("srv-legacy", "10.20.10.17", "b8:ca:3a:00:00:17", netsim.Linux)
	s.gate = n.Host("srv-gate", "10.20.10.21", "ac:1f:6b:00:00:21", netsim.Linux)
	s.nvr = n.Host("nvr", "10.20.30.5", "44:19:b6:00:00:05", netsim.Embedded)
	s.cam = n.Host("cam-01", "10.20.30.11", "44:19:b6:00:01:01", netsim.Embedded)
	s.ntp = n.External("192.0.2.123", netsim.Linux, 20*time.Millisecond)
	s.attacker = n.External("203.0.113.66", netsim.Linux, 45*time.Millisecond)
	s.other = n.External("198.51.100.23", netsim.Linux, 60*time.Millisecond)
	s.ordinary(s.start.Add(-10 * time.Minute))
	return s
}

// ordinary adds what the site does before the attack.
func (s *site) ordinary(at time.Time) {
	for i, h := range []*netsim.Host{s.admin, s.clerk, s.legacy, s.gate, s.nvr, s.cam, s.dns} {
		at = s.ARP(at.Add(time.Duration(i)*time.Second), h, s.router)
	}
	for _, h := range []*netsim.Host{s.legacy, s.gate, s.nvr, s.cam} {
		at = s.Lookup(at.Add(time.Second), h, s.dns, "ntp.example.net", s.ntp.IP.String())
		at = s.NTP(at.Add(time.Second), h, s.ntp)
	}
	info := netsim.Camera{Model: "DS-2CD2043G2-I", Serial: "DS-2CD2043G2-I20250401", Firmware: "V5.7.3 build 251101", Boot: "2026-02-20 08:11:09"}
	at = s.SADPProbe(at.Add(time.Second), s.nvr)
	at = s.SADPMatch(at.Add(time.Second), s.cam, info)
	at = s.Dial(at.Add(time.Second), s.admin, s.nvr, 80).HTTP(netsim.Request{Method: "GET", URI: "/"}, netsim.Response{Status: 200, Body: "<html>"}).Close()
	s.talk(at.Add(time.Second), s.clerk, s.other, 443, 900, 40_000)
}

// talk adds a session with so many bytes of TLS each way and returns its end.
func (s *site) talk(at time.Time, from, to *netsim.Host, port uint16, out, in int) time.Time {
	c := s.DialTLS(at, from, to, port, netsim.TLSClient{SNI: "www.example.com"}, netsim.TLSServer{Version: 0x0304})
	return c.Records(netsim.Client, out).Records(netsim.Server, in).Close()
}

// every calls do n times, gap apart, with up to a fifth of jitter.
func (s *site) every(gap time.Duration, n int, do func(i int, at time.Time)) {
	for i := range n {
		do(i, s.start.Add(time.Duration(i)*gap+s.Between(0, gap/5)))
	}
}
