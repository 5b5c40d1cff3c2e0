// SPDX-License-Identifier: Apache-2.0

// Package dispatchtest plays sessions through recognition and dissector, for tests.
package dispatchtest

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// Play feeds a TCP exchange to a conversation. It cuts each turn into pieces of at most step bytes (0: not at all), and
// honors the returned number of bytes needed, as the session table does.
func Play(t testing.TB, ports dissect.Ports, turns []dissecttest.Turn, step int) []dissect.Fact {
	t.Helper()
	var c dispatch.Conversation
	c.Reset(ports, nil)
	var facts []dissect.Fact
	sink := func(f dissect.Fact) { facts = append(facts, f) }
	var heads [2][]byte
	wants := [2]int{1, 1}
	give := func(dir int, final bool) {
		if wants[dir] == 0 || !final && len(heads[dir]) < wants[dir] {
			return
		}
		own := append([]byte(nil), heads[dir]...)
		wants[dir] = c.Stream(dir, own, final, sink)
		if wants[dir] != 0 && wants[dir] <= len(own) {
			t.Fatalf("want %d of %d bytes", wants[dir], len(own))
		}
		for i := range own {
			own[i] = 0xee // no part of the head may be kept
		}
	}
	for _, turn := range turns {
		for data := turn.Data; len(data) > 0; {
			n := len(data)
			if step > 0 {
				n = min(n, step)
			}
			heads[turn.Dir] = append(heads[turn.Dir], data[:n]...)
			data = data[n:]
			give(turn.Dir, false)
		}
	}
	give(dissect.FromClient, true)
	give(dissect.FromServer, true)
	return facts
}

// PlayCut checks that the facts do not depend on how the streams are cut into segments, and returns them.
func PlayCut(t *testing.T, ports dissect.Ports, turns []dissecttest.Turn) []dissect.Fact {
	t.Helper()
	whole := Play(t, ports, turns, 0)
	want := dissecttest.Dump(whole)
	for _, step := range []int{1, 2, 3, 7, 64} {
		if got := dissecttest.Dump(Play(t, ports, turns, step)); got != want {
			t.Errorf("cut into pieces of %d bytes:\n%s\nat once:\n%s", step, got, want)
		}
	}
	return whole
}

// Datagrams feeds UDP payloads, all from the client, and returns the facts.
func Datagrams(ports dissect.Ports, payloads ...[]byte) []dissect.Fact {
	var c dispatch.Conversation
	c.Reset(ports, nil)
	var facts []dissect.Fact
	for _, p := range payloads {
		own := append([]byte(nil), p...)
		more := c.Datagram(dissect.FromClient, own, func(f dissect.Fact) { facts = append(facts, f) })
		for i := range own {
			own[i] = 0xee
		}
		if !more {
			break
		}
	}
	return facts
}

// LoginCase is a session with logins.
type LoginCase struct {
	Ports  dissect.Ports
	Turns  []dissecttest.Turn
	App    string // the protocol by which the session is named
	Banner string // "" for any
	Want   []dissect.Login
}

// CheckLogins plays sessions and compares their logins.
func CheckLogins(t *testing.T, cases map[string]LoginCase) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			facts := PlayCut(t, tc.Ports, tc.Turns)
			got := dissecttest.FactsOf[dissect.Login](facts)
			if dissecttest.AppOf(facts) != tc.App || len(got) != len(tc.Want) {
				t.Fatalf("facts:\n%s", dissecttest.Dump(facts))
			}
			for i := range got {
				if got[i] != tc.Want[i] {
					t.Errorf("got  %+v\nwant %+v", got[i], tc.Want[i])
				}
			}
			if b := dissecttest.FactsOf[dissect.Banner](facts); tc.Banner != "" && (len(b) != 1 || b[0].Text != tc.Banner || b[0].Protocol != tc.App) {
				t.Errorf("banner %+v", b)
			}
		})
	}
}
