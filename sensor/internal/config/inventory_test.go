// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"testing"
	"time"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const full = `version: 1
site: hq
networks:
  internal: [10.20.0.0/16]
zones:
  cameras: [10.20.30.0/24]
  admin: [10.20.1.0/24, "fd00:1::/64"]
infrastructure:
  dns: [10.20.1.53]
  ntp: [10.20.1.123, ntp.example.net]
  dhcp: [10.20.1.1]
  syslog: []
  admin: [10.20.1.9]
devices:
  - name: srv-legacy-07
    match: {mac: "b8:ca:3a:00:00:17"}
    expect: silent
    owner: infrastructure team
    criticality: high
    allow:
      - {direction: in, peer: 10.20.1.9, proto: tcp, port: 22}
      - {peer: "*.example.com", proto: tcp, ports: [443, "8000-8010"]}
      - {peer: zone:cameras}
      - {direction: in, peer: device:cam-all, proto: icmp}
    maintenance:
      - {days: [sun], from: "02:00", to: "04:00", zone: UTC}
      - {from: "23:00", to: "01:00", zone: Europe/Berlin}
  - name: cam-all
    match: {role: camera}
  - name: net
    match: {prefix: 10.20.40.0/24}
    expect: server_only
  - name: one
    match: {ip: 10.20.40.5}
    expect: allowlist
  - name: hik
    match: {vendor: Hikvision}
    expect: normal
`

func TestInventory(t *testing.T) {
	inv, err := ParseInventory("inv.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	e := &inv.Devices[0]
	if e.Match.MAC != (packet.MAC{0xb8, 0xca, 0x3a, 0, 0, 0x17}) || e.Expect != contract.Silent || e.Criticality != "high" || e.Owner != "infrastructure team" {
		t.Errorf("first device: %+v", e)
	}
	texts := []string{"in tcp 22 from 10.20.1.9", "out tcp 443 8000-8010 to *.example.com", "out to zone:cameras", "in icmp from device:cam-all"}
	for i, want := range texts {
		if e.Allow[i].Text != want {
			t.Errorf("rule %d: %q, want %q", i, e.Allow[i].Text, want)
		}
	}
	if e.Allow[0].Direction != session.In || e.Allow[1].Ports[1] != [2]uint16{8000, 8010} || e.Allow[0].Peer.Prefix != netip.MustParsePrefix("10.20.1.9/32") {
		t.Errorf("rules: %+v", e.Allow)
	}
	in := inv.Infrastructure
	if len(in.NTP) != 2 || in.NTP[1].Name != "ntp.example.net" || in.Syslog == nil || len(in.Syslog) != 0 {
		t.Errorf("infrastructure: %+v", in)
	}
	if inv.Zones[0].Name != "admin" || inv.Devices[1].HasExpect || !inv.Devices[4].HasExpect {
		t.Errorf("%+v", inv)
	}
	if n := inv.Named(); len(n) != 2 || n[0].Name != "srv-legacy-07" || n[1].IP != netip.MustParseAddr("10.20.40.5") {
		t.Errorf("named: %+v", n)
	}
}

func TestMaintenanceWindows(t *testing.T) {
	inv, err := ParseInventory("inv.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) int64 {
		x, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return x.UnixNano()
	}
	w := inv.Devices[0].Maintenance
	tests := []struct {
		window int
		at     string
		want   bool
	}{
		{0, "2026-03-01T02:00:00Z", true}, // a Sunday
		{0, "2026-03-01T03:59:59Z", true},
		{0, "2026-03-01T04:00:00Z", false},
		{0, "2026-03-02T02:00:00Z", false},
		{1, "2026-03-02T22:30:00Z", true}, // 23:30 in Berlin
		{1, "2026-03-02T23:59:00Z", true}, // 00:59 in Berlin
		{1, "2026-03-03T00:00:00Z", false},
		{1, "2026-07-02T21:30:00Z", true}, // summer time
		{1, "2026-07-02T23:00:00Z", false},
	}
	for _, tt := range tests {
		if got := w[tt.window].Holds(at(tt.at)); got != tt.want {
			t.Errorf("window %d at %s: %v", tt.window, tt.at, got)
		}
	}
}

func TestParseSilent(t *testing.T) {
	p, m, err := ParseSilent([]string{"10.0.0.1", "10.1.0.0/16", "b8:ca:3a:00:00:17", "B8-CA-3A-00-00-18", "b8ca.3a00.0019", "fd00::1"})
	if err != nil || len(p) != 3 || len(m) != 3 || p[0].Bits() != 32 || m[2][5] != 0x19 {
		t.Errorf("%v %v %v", p, m, err)
	}
	for _, bad := range []string{"", "10.0.0", "10.0.0.1/33", "10.0.0.1/8", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "01:00:5e:00:00:01", "host", "fe80::1%eth0", "::ffff:10.0.0.1/120"} {
		if _, _, err := ParseSilent([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
