// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// turn is what one side sends at once.
type turn struct {
	dir  int
	data string
}

func client(s string) turn { return turn{FromClient, s} }
func server(s string) turn { return turn{FromServer, s} }

// play feeds a TCP exchange, cutting each turn into pieces of at most step bytes (0: not at all), and honours the wants
// that come back as the session table does.
func play(t testing.TB, ports Ports, turns []turn, step int) []Fact {
	t.Helper()
	var c Conversation
	c.Reset(ports, nil)
	var facts []Fact
	sink := func(f Fact) { facts = append(facts, f) }
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
			own[i] = 0xee // nothing of the head may be kept
		}
	}
	for _, turn := range turns {
		for data := turn.data; len(data) > 0; {
			n := len(data)
			if step > 0 {
				n = min(n, step)
			}
			heads[turn.dir] = append(heads[turn.dir], data[:n]...)
			data = data[n:]
			give(turn.dir, false)
		}
	}
	give(FromClient, true)
	give(FromServer, true)
	return facts
}

// dump renders facts so that they can be compared and searched.
func dump(facts []Fact) string {
	var b strings.Builder
	for _, f := range facts {
		fmt.Fprintf(&b, "%T%+v\n", f, reflect.ValueOf(f).Elem().Interface())
	}
	return b.String()
}

// appOf is the protocol that a session ends up with.
func appOf(facts []Fact) string {
	name := ""
	for _, f := range facts {
		if id, ok := f.(*AppID); ok {
			name = id.Name
		}
	}
	return name
}

// factsOf picks the facts of one type.
func factsOf[T any](facts []Fact) (out []T) {
	for _, f := range facts {
		if x, ok := f.(any).(*T); ok {
			out = append(out, *x)
		}
	}
	return out
}

// sameHoweverCut checks that the facts do not depend on how the streams were cut into segments, and gives them.
func sameHoweverCut(t *testing.T, ports Ports, turns []turn) []Fact {
	t.Helper()
	whole := play(t, ports, turns, 0)
	want := dump(whole)
	for _, step := range []int{1, 2, 3, 7, 64} {
		if got := dump(play(t, ports, turns, step)); got != want {
			t.Errorf("cut into pieces of %d bytes:\n%s\nat once:\n%s", step, got, want)
		}
	}
	return whole
}
