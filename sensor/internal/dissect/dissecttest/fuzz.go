// SPDX-License-Identifier: Apache-2.0

package dissecttest

import (
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
)

// Chunks cuts fuzzing input into turns: a byte with direction and length, then the data.
func Chunks(b []byte) (turns []Turn) {
	for len(b) > 1 && len(turns) < 64 {
		n := min(int(b[0]>>1)+1, len(b)-1)
		turns = append(turns, Turn{int(b[0] & 1), string(b[1 : 1+n])})
		b = b[1+n:]
	}
	return turns
}

// Chunk returns a turn as Chunks reads it.
func Chunk(t Turn) (b []byte) {
	for data := t.Data; len(data) > 0; {
		n := min(len(data), 128)
		b = append(append(b, byte(n-1)<<1|byte(t.Dir)), data[:n]...)
		data = data[n:]
	}
	return b
}

// FuzzDatagrams feeds a dissector of datagrams, which must need no more after limit of them.
func FuzzDatagrams(f *testing.F, open func() dissect.Datagrams, limit int) {
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		d, n := open(), 0
		for _, x := range Chunks(b) {
			n++
			if !d.Datagram(x.Dir, []byte(x.Data), func(dissect.Fact) {}) {
				break
			}
		}
		if n > limit {
			t.Errorf("%d datagrams", n)
		}
	})
}

// FuzzStream feeds a dissector of TCP streams directly, so that the fuzzer need not find the opening: at once, and cut
// into bytes. Both must report the same.
func FuzzStream(f *testing.F, open func() dissect.Stream, seeds ...[]Turn) {
	for _, turns := range seeds {
		var b []byte
		for _, t := range turns {
			b = append(b, Chunk(t)...)
		}
		f.Add(b)
	}
	feed := func(t *testing.T, turns []Turn, step int) []dissect.Fact {
		d := open()
		var facts []dissect.Fact
		sink := func(f dissect.Fact) { facts = append(facts, f) }
		var heads [2][]byte
		wants := [2]int{1, 1}
		give := func(dir int, final bool) {
			if wants[dir] == 0 || !final && len(heads[dir]) < wants[dir] {
				return
			}
			want := d.Feed(dir, heads[dir], final, sink)
			if want != 0 && want <= len(heads[dir]) && !final {
				t.Fatalf("wants %d of %d bytes", want, len(heads[dir]))
			}
			wants[dir] = want
		}
		for _, turn := range turns {
			for i := 0; i < len(turn.Data); i += step {
				heads[turn.Dir] = append(heads[turn.Dir], turn.Data[i:min(i+step, len(turn.Data))]...)
				give(turn.Dir, false)
			}
		}
		give(dissect.FromClient, true)
		give(dissect.FromServer, true)
		return facts
	}
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		turns := Chunks(b)
		whole, cut := feed(t, turns, 1<<14), feed(t, turns, 1)
		if Dump(whole) != Dump(cut) {
			t.Fatalf("cut into bytes:\n%s\nat once:\n%s", Dump(cut), Dump(whole))
		}
		if len(whole) > 256 {
			t.Fatalf("%d facts", len(whole))
		}
	})
}
