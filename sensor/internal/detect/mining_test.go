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

const poolServer = "198.51.100.70:3333"

// mines plays the login of a miner.
func (s *stage) mines(from, to string) {
	v := s.connect(from, to)
	s.event(detect.SessionFact, v, &dissect.AppID{Name: "stratum"})
	s.event(detect.SessionFact, v, &dissect.Banner{Protocol: "stratum", Text: "XMRig/6.21.0", Client: true})
}

func TestMiningPage(t *testing.T) {
	checkPage(t, "D24", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		s.ask(silent, "A", "gulf.moneroocean.stream")
		s.c.Names.Learn(netip.MustParseAddr(silent), netip.MustParseAddr("198.51.100.70"), "gulf.moneroocean.stream", 3600, s.c.Now)
		s.mines(silent, poolServer)
		return s
	})
}

func TestMining(t *testing.T) {
	role := func(r device.Role) func(*stage) { return func(s *stage) { s.with(host, r, device.Probable) } }
	lookup := func(from, name string) func(*stage) { return func(s *stage) { s.ask(from, "A", name) } }
	session := func(from, to string) func(*stage) { return func(s *stage) { s.mines(from, to) } }
	for _, c := range []struct {
		name   string
		before func(*stage)
		do     func(*stage)
		want   []string
	}{
		{"stratum, a silent device", nil, session(silent, poolServer), []string{"high pool 198.51.100.70:3333/tcp 1"}},
		{"stratum on another port", nil, session(host, "198.51.100.70:443"), []string{"high pool 198.51.100.70:443/tcp 1"}},
		{"stratum on a computer", role(device.Workstation), session(host, poolServer), []string{"high pool 198.51.100.70:3333/tcp 1"}},
		{"stratum with a proxy inside", nil, session(silent, "10.20.1.9:3333"), []string{"high pool 10.20.1.9:3333/tcp 1"}},
		{"a public network", nil, session(publicA, poolServer), []string{"high pool 198.51.100.70:3333/tcp 1"}},
		{"miners outside, a pool inside", nil, session(foreign, silent+":3333"), nil},
		{"a name, a silent device", nil, lookup(silent, "pool.supportxmr.com"), []string{"high pool supportxmr.com 1"}},
		{"a name, an unknown device", nil, lookup(host, "XMR-EU1.Nanopool.ORG"), []string{"medium pool nanopool.org 1"}},
		{"a name, a computer", role(device.Workstation), lookup(host, "nicehash.com"), []string{"low pool nicehash.com 1"}},
		{"a name, a camera", role(device.Camera), lookup(host, "nicehash.com"), []string{"high pool nicehash.com 1"}},
		{"a name that ends alike", nil, lookup(silent, "supportxmr.com.vendor.example"), nil},
		{"a name that contains a pool", nil, lookup(silent, "notsupportxmr.com"), nil},
		{"TLS with a pool", nil, func(s *stage) {
			s.event(detect.SessionFact, s.connect(silent, "198.51.100.70:443"), &dissect.TLSClientHello{SNI: "xmr.hashvault.pro"})
		}, []string{"high pool hashvault.pro 1"}},
		{"TLS with another server", nil, func(s *stage) {
			s.event(detect.SessionFact, s.connect(silent, "198.51.100.70:443"), &dissect.TLSClientHello{SNI: "cloud.vendor.example"})
		}, nil},
		{"JSON over another protocol", nil, func(s *stage) { s.speak(silent, poolServer, "http") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			if c.before != nil {
				c.before(s)
			}
			c.do(s)
			s.want(t, "D24", c.want...)
		})
	}
}

// TestMiningMidstream has sessions that were open before the capture began.
func TestMiningMidstream(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to string
		want     []string
	}{
		{"opened by the device", silent, poolServer, []string{"high pool 198.51.100.70:3333/tcp 1"}},
		{"taken for the other direction", "198.51.100.70", silent + ":3333", []string{"high pool 198.51.100.70:40002/tcp 1"}},
		{"inside", silent, "10.20.1.9:3333", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			s.open(17, "10.20.1.9", "10.20.1.53:53")
			v := s.view(6, c.from, c.to)
			v.Unconfirmed, v.Basis, v.State, v.Packets = true, session.BasisFirstPacket, session.Midstream, [2]uint64{3, 3}
			s.event(detect.SessionFact, v, &dissect.AppID{Name: "stratum"})
			s.want(t, "D24", c.want...)
		})
	}
}

func TestMiningAllowedByInventory(t *testing.T) {
	e := legacy()
	e.Allow = []contract.Rule{{Text: "pool", Proto: "tcp", Peer: contract.Peer{Prefix: netip.MustParsePrefix("198.51.100.70/32")}, Ports: [][2]uint16{{3333, 3333}}}}
	s := newStage(t, e)
	s.mines(silent, poolServer)
	s.want(t, "D24")
}

// A pool that is looked up and called again and again is one alert with few revisions, and the general rules are absorbed.
func TestMiningIsOneAlert(t *testing.T) {
	s := newStage(t, legacy())
	for range 50 {
		s.ask(silent, "A", "pool.supportxmr.com")
		s.c.Names.Learn(netip.MustParseAddr(silent), netip.MustParseAddr("198.51.100.70"), "pool.supportxmr.com", 3600, s.c.Now)
		s.mines(silent, poolServer)
		s.wait(10 * minute)
	}
	s.want(t, "D24", "high pool supportxmr.com 64")
	revisions := 0
	for _, a := range s.got {
		if a.Rule.ID == "D24" {
			revisions++
		}
	}
	if revisions > 10 {
		t.Errorf("%d revisions", revisions)
	}
	last := map[string]string{}
	for _, a := range s.got {
		last[a.ID] = a.Rule.ID + " " + a.AbsorbedBy
	}
	for id, x := range last {
		if x == "D01 " {
			t.Errorf("D01 %s is not absorbed", id)
		}
	}
}

func TestMiningIsBounded(t *testing.T) {
	dets, err := detect.New(detect.Config{Enabled: func(rule string) bool { return rule == "D24" },
		Params: func(_ string, into any) error { into.(*detect.MiningParams).MaxPools = 10; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, legacy())
	s.dets = dets
	for i := range 100 {
		s.mines(silent, fmt.Sprintf("198.51.100.%d:3333", 1+i))
	}
	if n := detect.Evictions(s.dets); n != 90 {
		t.Errorf("%d evictions, want 90", n)
	}
}
