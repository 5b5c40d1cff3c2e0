// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
)

func TestBeaconPage(t *testing.T) {
	checkPage(t, "D16", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for i := range 10 {
			s.end(s.connect(silent, "198.51.100.23:443"), 840, 3900)
			s.wait(2200*second/1000 + int64(i%3)*20*second/1000)
		}
		return s
	})
}

// call plays sessions with gaps in seconds.
func call(s *stage, from, to string, gaps ...float64) {
	s.open(6, from, to) // of a pair that meets once nothing is kept
	s.wait(hour)
	s.open(6, from, to)
	for _, g := range gaps {
		s.wait(int64(g * 1e9))
		s.open(6, from, to)
	}
}

func steady(n int, gap float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = gap * (1 + 0.01*float64(i%3-1))
	}
	return out
}

func TestBeacon(t *testing.T) {
	const server = "198.51.100.23:443"
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"eight even gaps", func(s *stage) { call(s, silent, server, steady(8, 2.2)...) }, []string{"medium 198.51.100.23:443/tcp 9"}},
		{"seven even gaps", func(s *stage) { call(s, silent, server, steady(7, 2.2)...) }, nil},
		{"every hour", func(s *stage) { call(s, host, server, steady(8, 3600)...) }, []string{"medium 198.51.100.23:443/tcp 9"}},
		{"a name is low", func(s *stage) {
			s.c.Names.Learn(netip.MustParseAddr(host), netip.MustParseAddr("198.51.100.23"), "feed.vendor.example", 36000, s.c.Now)
			call(s, host, server, steady(8, 60)...)
		}, []string{"low feed.vendor.example:443/tcp 9"}},
		{"missed calls", func(s *stage) { call(s, silent, server, 60, 60, 120, 61, 60, 60, 121, 60, 60, 60, 59, 60) }, []string{"medium 198.51.100.23:443/tcp 13"}},
		{"a computer", func(s *stage) {
			s.with(host, device.Workstation, device.Probable)
			call(s, host, server, steady(30, 60)...)
		}, nil},
		{"a server inside", func(s *stage) { call(s, silent, "10.20.1.9:443", steady(30, 60)...) }, nil},
		{"a name server", func(s *stage) { call(s, silent, "198.51.100.53:53", steady(30, 60)...) }, nil},
		{"one burst", func(s *stage) { call(s, silent, server, steady(30, 0.2)...) }, nil},
		{"a public network", func(s *stage) { call(s, publicA, server, steady(8, 2.2)...) }, []string{"medium 198.51.100.23:443/tcp 9"}},
		{"another port each time", func(s *stage) {
			for i, g := range steady(10, 600) {
				s.open(6, host, fmt.Sprintf("198.51.100.23:%d", 20000+37*i))
				s.wait(int64(g * 1e9))
			}
		}, []string{"medium 198.51.100.23 any port/tcp 9"}},
		{"two ports of one server", func(s *stage) {
			s.open(6, host, "198.51.100.23:80")
			s.wait(hour)
			call(s, host, server, steady(6, 60)...)
		}, nil},
		{"calls from outside", func(s *stage) { call(s, foreign, silent+":443", steady(30, 60)...) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			c.do(s)
			s.want(t, "D16", c.want...)
		})
	}
}

// firstLook returns after how many gaps a series is found regular, 0 if never.
func firstLook(gaps []uint32) int {
	p := detect.DefaultBeaconParams()
	for _, n := range detect.BeaconLooks {
		if n <= len(gaps) && detect.Regular(&p, gaps[:n]) {
			return n
		}
	}
	return 0
}

// TestPoissonSeriesAreNotRegular draws 3,000 series of random calls and counts those that are taken for regular: none. It also checks how
// many gaps calls with jitter need.
func TestPoissonSeriesAreNotRegular(t *testing.T) {
	r := rand.New(rand.NewPCG(16, 1))
	series := func(gap func() float64) []uint32 {
		out := make([]uint32, 192)
		for i := range out {
			out[i] = uint32(max(gap()*60_000, 1000))
		}
		return out
	}
	wrong := 0
	for range 3000 {
		if firstLook(series(r.ExpFloat64)) != 0 {
			wrong++
		}
	}
	if wrong != 0 {
		t.Errorf("%d of 3,000 random series are taken for regular", wrong)
	}
	for _, c := range []struct {
		jitter float64
		want   int // gaps that half of the series need
	}{{0, 8}, {0.1, 8}, {0.3, 16}, {0.5, 32}} {
		found, within := 0, 0
		for range 200 {
			n := firstLook(series(func() float64 { return 1 + c.jitter*(2*r.Float64()-1) }))
			if n > 0 {
				found++
			}
			if n > 0 && n <= c.want {
				within++
			}
		}
		t.Logf("jitter ±%.0f %%: %d of 200 found, %d of them after at most %d gaps", 100*c.jitter, found, within, c.want)
		if within < 100 {
			t.Errorf("jitter ±%.0f %%: only %d of 200 series are found after %d gaps", 100*c.jitter, within, c.want)
		}
	}
	heavy := 0
	for range 1000 { // waiting times with a floor, as of programs that sleep before they try again
		if firstLook(series(func() float64 { return math.Pow(1-r.Float64(), -1/1.5) })) != 0 {
			heavy++
		}
	}
	t.Logf("%d of 1,000 Pareto series with a floor are taken for regular", heavy)
	if heavy > 400 { // a known weakness: the finding is low where the peer has a name
		t.Errorf("%d of 1,000 Pareto series", heavy)
	}
}

// The cleanest beacon is skewed, because a late call is late by the delay of one packet: it is regular all the same.
func TestSkewOfACleanBeacon(t *testing.T) {
	var gaps []uint32
	for i := range 24 {
		gaps = append(gaps, 60_000+uint32(i%8/7*900))
	}
	if n := firstLook(gaps); n != 8 {
		t.Errorf("found after %d gaps", n)
	}
}

func FuzzRegular(f *testing.F) {
	f.Add([]byte{60, 60, 60, 60, 60, 60, 60, 60})
	f.Add([]byte{1, 255, 1, 255, 3, 9, 0, 0, 200})
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		var gaps []uint32
		for i, v := range b[:min(len(b), 192)] {
			gaps = append(gaps, uint32(v)<<(i%24)+1)
		}
		p := detect.DefaultBeaconParams()
		if len(gaps) > 0 {
			_ = fmt.Sprint(detect.Regular(&p, gaps))
		}
	})
}
