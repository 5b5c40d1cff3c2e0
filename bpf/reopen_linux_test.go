// SPDX-License-Identifier: Apache-2.0

package bpf

import "testing"

// A SYN and its SYN-ACK open another session within an active one, in either order. One of them alone does not.
func TestReusedPortsOfALiveSession(t *testing.T) { onBoth(t, reusedPortsOfALiveSession) }

func reusedPortsOfALiveSession(t *testing.T, load loader) {
	live := []step{
		{fromA(999, 0, flagSYN, 0), Edge}, {fromB(4999, 1000, flagSYN|flagACK, 0), Edge},
		{fromA(1000, 5000, flagACK, 1000), Head}, {fromB(5000, 2000, flagACK, 1000), Head},
		{fromA(90000, 5000, flagACK, 1000), Shunted}, {fromB(90000, 2000, flagACK, 1000), Shunted},
	}
	anew := []step{
		{fromA(1<<30, 1<<29, flagACK, 1000), Head}, {fromB(1<<29, 1<<30, flagACK, 1000), Head},
		{fromA(1<<30+1000, 1<<29, flagACK, 1000), Head}, {fromB(1<<29+1000, 1<<30, flagACK, 1000), Head},
		{fromA(1<<30+2000, 1<<29, flagACK, 1000), Shunted}, {fromB(1<<29+2000, 1<<30, flagACK, 1000), Shunted},
	}
	old := []step{
		{fromA(1999, 5000, flagACK, 1000), Head}, {fromB(5999, 2000, flagACK, 1000), Head},
		{fromA(1<<30, 1<<29, flagACK, 1000), Shunted}, {fromB(1<<29, 1<<30, flagACK, 1000), Shunted},
	}
	syn, answer := step{fromA(1<<30-1, 0, flagSYN, 0), Edge}, step{fromB(1<<29-1, 1<<30, flagSYN|flagACK, 0), Edge}
	other, same := step{fromA(77, 0, flagSYN, 0), Edge}, step{fromA(999, 0, flagSYN, 0), Edge}
	data := step{fromA(1<<30-1-300, 0, flagSYN, 300), Edge}
	for _, c := range []struct {
		name string
		open []step
		want []step
	}{
		{"in order", []step{syn, answer}, anew},
		{"twice", []step{syn, syn, answer, syn, answer}, anew},
		{"answer first", []step{answer, syn}, anew},
		{"another SYN between", []step{syn, other, answer}, anew},
		{"data in the SYN", []step{data, answer}, anew},
		{"answer first, data in the SYN", []step{answer, data}, anew},
		{"SYN alone", []step{syn, syn}, old},
		{"answer alone", []step{answer, answer}, old},
		{"answer to the session's own SYN", []step{other, answer}, old},
		{"both from one end", []step{syn, {fromA(1<<29-1, 1<<30, flagSYN|flagACK, 0), Edge}}, old},
		{"repeated handshake", []step{same, live[1], same, live[1]}, old},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, load, Config{HeadBytes: 2000, HeadSegments: 1, Sessions: 64})
			b.steps(t, live)
			b.steps(t, c.open)
			b.steps(t, c.want)
		})
	}
	t.Run("same SYN, new answer", func(t *testing.T) {
		b := newBench(t, load, Config{HeadBytes: 2000, HeadSegments: 1, Sessions: 64})
		b.steps(t, live)
		b.steps(t, []step{same, {fromB(1<<29-1, 1000, flagSYN|flagACK, 0), Edge}})
		b.steps(t, []step{{fromB(1<<29, 1000, flagACK, 1000), Head}, {fromB(1<<29+1000, 1000, flagACK, 1000), Head}})
	})
	t.Run("numbers of a doubtful SYN", func(t *testing.T) {
		b := newBench(t, load, Config{HeadBytes: 2000, HeadSegments: 1, Sessions: 64})
		b.steps(t, live)
		b.steps(t, []step{syn, {fromA(91000, 5000, flagACK, 1000), Shunted}})
		if c := b.counts(t); len(c) != 1 || c[0].End[0] != 92000 {
			t.Errorf("%+v", c)
		}
	})
}

// More SYN packets than the program keeps evict the first ones, which is counted.
func TestEvictedOpeningsAreCounted(t *testing.T) { onBoth(t, evictedOpeningsAreCounted) }

func evictedOpeningsAreCounted(t *testing.T, load loader) {
	b := newBench(t, load, Config{CountOnly: true, Sessions: 64})
	b.steps(t, []step{{fromA(999, 0, flagSYN, 0), Edge}, {fromB(4999, 1000, flagSYN|flagACK, 0), Edge}})
	evicted := func() uint64 {
		b.counts(t)
		b.counts(t)
		c, err := b.Counters()
		if err != nil {
			t.Fatal(err)
		}
		return c.EvictedOpenings
	}
	b.steps(t, []step{ // one waits, is repeated, and is confirmed; then another waits
		{fromA(1<<20, 0, flagSYN, 0), Edge}, {fromA(1<<20, 0, flagSYN, 0), Edge}, {fromB(77, 1<<20+1, flagSYN|flagACK, 0), Edge},
		{fromA(1<<21, 0, flagSYN, 0), Edge},
	})
	if n := evicted(); n != 0 {
		t.Fatalf("%d evicted of 2", n)
	}
	const sent = 10_000
	for i := range sent {
		if _, err := b.Try(fromA(1<<24+2*i, 0, flagSYN, 0)); err != nil {
			t.Fatal(err)
		}
		b.said(t)
	}
	if n := evicted(); n < sent-1<<12 || n >= sent {
		t.Errorf("%d evicted of %d", n, sent)
	}
}
