// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
)

const farEcho = "198.51.100.90:0"

// pings opens a session of echo messages.
func (s *stage) pings(from, to string) *session.View {
	v := s.view(1, from, to)
	v.Basis, v.ICMPType, v.HasPorts, v.Initiator.Port, v.Responder.Port = session.BasisRequest, 8, false, 0, 0
	s.event(detect.SessionOpened, v, nil)
	return v
}

// echo reports what the messages of a session have carried so far.
func (s *stage) echo(v *session.View, data dissect.EchoData) {
	if v.End = s.c.Now; data.Compared > 0 {
		v.Packets[1] = uint64(data.Compared)
	}
	s.event(detect.SessionFact, v, &data)
}

// tunnels plays a tunnel of n requests and replies with size bytes each, one pair in a second.
func (s *stage) tunnels(from, to string, n, size int, bits float64) *session.View {
	v := s.pings(from, to)
	for i := 1; i <= n; i++ {
		s.echo(v, dissect.EchoData{Messages: 2 * i, Bytes: uint64(2 * i * size), Compared: i, Unequal: i, Entropy: bits})
		s.wait(second)
	}
	return v
}

func TestICMPTunnelPage(t *testing.T) {
	checkPage(t, "D23", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		s.tunnels(silent, farEcho, 30, 600, 7.9)
		return s
	})
}

func TestICMPTunnel(t *testing.T) {
	const key = "198.51.100.90"
	for _, c := range []struct {
		name string
		play func(s *stage)
		want []string
	}{
		{"encrypted", func(s *stage) { s.tunnels(silent, farEcho, 10, 200, 7.8) }, []string{"high " + key + " 20"}},
		{"text, from a device that should be silent", func(s *stage) { s.tunnels(silent, farEcho, 10, 100, 4.8) }, []string{"high " + key + " 20"}},
		{"text, from another device", func(s *stage) { s.tunnels("10.20.50.21", farEcho, 10, 100, 4.8) }, []string{"medium " + key + " 20"}},
		{"opened from outside", func(s *stage) { s.tunnels(foreign, silent+":0", 10, 200, 7.8) }, []string{"high " + foreign + " 20"}},
		{"large messages", func(s *stage) { s.tunnels(silent, farEcho, 4, 1400, 7.8) }, []string{"high " + key + " 8"}},
		{"too few", func(s *stage) { s.tunnels(silent, farEcho, 9, 200, 7.8) }, nil},
		{"too slow", func(s *stage) {
			for range 20 {
				s.tunnels(silent, farEcho, 4, 100, 7.8)
				s.wait(9 * minute)
			}
		}, nil},
		{"in many short sessions", func(s *stage) {
			for range 5 {
				s.tunnels(silent, farEcho, 2, 100, 7.8)
				s.wait(70 * second)
			}
		}, []string{"high " + key + " 20"}},
		{"one reply was damaged", func(s *stage) {
			v := s.pings(silent, farEcho)
			s.echo(v, dissect.EchoData{Messages: 60, Bytes: 60_000, Compared: 30, Unequal: 1, Entropy: 7.9})
		}, nil},
		{"most replies repeat the request", func(s *stage) {
			v := s.pings(silent, farEcho)
			s.echo(v, dissect.EchoData{Messages: 60, Bytes: 60_000, Compared: 30, Unequal: 14, Entropy: 7.9})
		}, nil},
		{"no answer, random data", func(s *stage) {
			s.echo(s.pings(silent, farEcho), dissect.EchoData{Messages: 20, Bytes: 2000, Entropy: 7.8})
		}, []string{"high " + key + " 20"}},
		{"no answer, text", func(s *stage) {
			s.echo(s.pings(silent, farEcho), dissect.EchoData{Messages: 20, Bytes: 2000, Entropy: 4.8})
		}, nil},
		{"no answer on a mirror with one direction", func(s *stage) {
			s.c.Quality.OneWay = true
			s.echo(s.pings(silent, farEcho), dissect.EchoData{Messages: 20, Bytes: 2000, Entropy: 7.8})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			c.play(s)
			s.want(t, "D23", c.want...)
		})
	}
}

// TestICMPTunnelExplainsThePing checks that the ping that opened the tunnel is no alert of its own.
func TestICMPTunnelExplainsThePing(t *testing.T) {
	s := newStage(t, legacy())
	s.tunnels(silent, farEcho, 10, 200, 7.8)
	s.m.Close(s.c.Now, &s.c)
	live := map[string]string{}
	for _, a := range s.got {
		if live[a.ID] = a.Rule.ID; a.AbsorbedBy != "" {
			delete(live, a.ID)
		}
	}
	for _, rule := range live {
		if rule != "D23" {
			t.Errorf("%s tells the same", rule)
		}
	}
}

// TestICMPTunnelIsBounded floods the table of pairs.
func TestICMPTunnelIsBounded(t *testing.T) {
	dets, err := detect.New(detect.Config{
		Enabled: func(rule string) bool { return rule == "D23" },
		Params:  func(_ string, into any) error { into.(*detect.ICMPTunnelParams).MaxPairs = 10; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, contract.Entry{Name: "any"})
	s.dets = dets
	for i := range 100 {
		s.tunnels(silent, fmt.Sprintf("198.51.100.%d:0", 1+i), 1, 100, 7.8)
	}
	if n := detect.Evictions(s.dets); n != 90 {
		t.Errorf("%d evictions, want 90", n)
	}
}
