// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// FuzzCalled counts the calls of a target. It is meant to be run with Variable.
func FuzzCalled(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), "name", uint16(80), true, 1.5)
	f.Add([]byte{}, "", uint16(0), false, 0.0)
	Fuzz(f, func(t *testing.T, b []byte, s string, port uint16, flag bool, x float64) {
		if len(b) > 18+growth+128 {
			t.Errorf("an input of %d bytes", len(b))
		}
	})
}

// TestChange checks that inputs are different from their seed, that the seed does not change, and that the same seed gives the same inputs.
func TestChange(t *testing.T) {
	seed := []reflect.Value{reflect.ValueOf([]byte("user=admin&password=1234")), reflect.ValueOf("abc"), reflect.ValueOf(uint8(7)), reflect.ValueOf(true)}
	want := literal(seed)
	run := func() (all []string) {
		m := mutator{rand.New(rand.NewPCG(1, 2))}
		for range 2000 {
			in := detach(seed)
			m.change(in, seed)
			all = append(all, literal(in))
		}
		return all
	}
	first, second := run(), run()
	different := map[string]bool{}
	for i := range first {
		if first[i] != second[i] {
			t.Fatalf("input %d: %s and %s", i, first[i], second[i])
		}
		different[first[i]] = true
	}
	if len(different) < 1500 || literal(seed) != want {
		t.Errorf("%d different inputs; the seed is %s", len(different), literal(seed))
	}
}

// TestInputsAreGoSource checks what is printed of an input that failed.
func TestInputsAreGoSource(t *testing.T) {
	if got := literal([]reflect.Value{reflect.ValueOf([]byte{1, 'a'}), reflect.ValueOf(uint16(9))}); got != ` []byte{0x1, 0x61} // "\x01a" 0x9` {
		t.Error(got)
	}
}
