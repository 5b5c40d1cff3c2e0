// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

// sample has one of each kind of value.
type sample struct {
	raw   [3]byte
	n     uint64
	port  uint16
	kind  uint8
	i     int
	t     int64
	f     float64
	b     bool
	s     string
	list  []string
	addrs [4]netip.Addr
	p     *int
	none  *int
}

func (x *sample) walk(c *Codec) {
	c.Raw(x.raw[:])
	c.Uint(&x.n)
	Number(c, &x.port)
	Enum(c, &x.kind, 9)
	c.Int(&x.i)
	c.Time(&x.t)
	c.Float(&x.f)
	c.Bool(&x.b)
	c.String(&x.s)
	List(c, &x.list, 3, func(s *string) { c.String(s) })
	for i := range x.addrs {
		c.Addr(&x.addrs[i])
	}
	Pointer(c, &x.p, func(n *int) { c.Int(n) })
	Pointer(c, &x.none, func(n *int) { c.Int(n) })
}

func filled() *sample {
	n := -7
	return &sample{[3]byte{1, 2, 3}, math.MaxUint64, 65535, 9, math.MinInt64, -1, -2.5, true, "a\x00ü", []string{"", "x", "yy"},
		[4]netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1")}, &n, nil}
}

func TestValuesRoundTrip(t *testing.T) {
	for _, want := range []*sample{filled(), {}} {
		w := Writer(nil)
		want.walk(w)
		got := &sample{}
		r := Reader(w.Bytes())
		if got.walk(r); r.Done() != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v\n%+v\n%+v", r.Done(), got, want)
		}
	}
}

// TestTruncatedInput checks that every byte is needed and that remaining bytes are an error.
func TestTruncatedInput(t *testing.T) {
	w := Writer(nil)
	filled().walk(w)
	for n := range w.Bytes() {
		r := Reader(w.Bytes()[:n])
		if (&sample{}).walk(r); !errors.Is(r.Done(), ErrDamaged) {
			t.Fatalf("%d of %d bytes were enough", n, len(w.Bytes()))
		}
	}
	r := Reader(append(w.Bytes(), 0))
	if (&sample{}).walk(r); !errors.Is(r.Done(), ErrDamaged) {
		t.Error("a byte too many was taken")
	}
}

func TestLimitsAreChecked(t *testing.T) {
	for what, walk := range map[string]func(*Codec){
		"an enum beyond its last":        func(c *Codec) { k := uint8(3); Enum(c, &k, 2) },
		"a number too large":             func(c *Codec) { n := uint8(0); c.Reading(); Number(c, &n) },
		"a list too long":                func(c *Codec) { var l []string; List(c, &l, 0, func(s *string) { c.String(s) }) },
		"a list longer than what it has": func(c *Codec) { var l []string; List(c, &l, 1<<40, func(s *string) { c.String(s) }) },
		"no number":                      func(c *Codec) { f := 0.0; c.Float(&f) },
	} {
		for _, raw := range [][]byte{{0xff, 0xff, 0xff, 0x7f}, bytes.Repeat([]byte{0xff}, 12), {0x7f, 0xf0, 0, 0, 0, 0, 0, 0}} {
			r := Reader(raw)
			if walk(r); r.Done() == nil {
				t.Errorf("%s: % x was taken", what, raw)
			}
		}
	}
}

func TestBatch(t *testing.T) {
	var b Batch
	b.Put("a/1").Raw([]byte("k"))
	b.Value()
	b.Codec().Raw([]byte("v"))
	b.End()
	b.Put("a/1").Raw(bytes.Repeat([]byte("k"), math.MaxUint16+1)) // too long for a key
	b.Value()
	b.End()
	b.Delete("b/1").Raw([]byte("gone"))
	b.End()
	b.Clear("c/1")
	b.PutSingle("d/1", func(c *Codec) { c.Raw([]byte("one")) })
	var got []string
	err := Changes(b.Bytes(), func(c Change) error {
		got = append(got, strings.Join([]string{c.Part, string(c.Key), string(c.Value)}, "|"))
		if c.Clear != (c.Part == "c/1") || (c.Value == nil) != (c.Part == "b/1" || c.Part == "c/1") {
			t.Errorf("%+v", c)
		}
		return nil
	})
	want := []string{"a/1|k|v", "b/1|gone|", "c/1||", "d/1|\x00|one"}
	if err != nil || !reflect.DeepEqual(got, want) || b.Len() != len(want) {
		t.Errorf("%d changes, %v: %q", b.Len(), err, got)
	}
	for n := 1; n < b.Size(); n++ {
		seen := 0
		if err := Changes(b.Bytes()[:n], func(Change) error { seen++; return nil }); err == nil && seen == len(want) {
			t.Fatalf("%d of %d bytes were enough", n, b.Size())
		}
	}
	if b.Reset(); b.Len() != 0 || b.Size() != 0 {
		t.Error("it is not empty")
	}
}

func TestEmptyValueIsARecord(t *testing.T) {
	var b Batch
	b.Put("a/1").Raw([]byte("k"))
	b.End()
	err := Changes(b.Bytes(), func(c Change) error {
		if c.Value == nil || len(c.Value) != 0 {
			t.Errorf("%+v", c)
		}
		return nil
	})
	if err != nil || b.Len() != 1 {
		t.Error(err)
	}
}

func FuzzChanges(f *testing.F) {
	var b Batch
	b.Put("a/1").Raw([]byte("k"))
	b.End()
	b.Clear("b/1")
	f.Add(b.Bytes())
	mutate.Fuzz(f, func(t *testing.T, raw []byte) {
		bytes := 0
		err := Changes(raw, func(c Change) error { bytes += len(c.Part) + len(c.Key) + len(c.Value) + 8; return nil })
		if bytes > len(raw) || err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes of %d, %v", bytes, len(raw), err)
		}
		r := Reader(raw)
		(&sample{}).walk(r)
	})
}
