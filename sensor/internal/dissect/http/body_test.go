// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func TestAppendWords(t *testing.T) {
	x := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		b, room := dissecttest.RandomText(x), x.IntN(40)
		want := bytes.Join(slices.Collect(bytes.FieldsSeq(b)), []byte(" "))
		if got := appendWords(make([]byte, 0, room), b); !bytes.Equal(got, want[:min(room, len(want))]) {
			t.Fatalf("%q in %d: %q, want %q", b, room, got, want)
		}
	}
}

// FuzzLoginBody reads any bytes as the body of a login.
func FuzzLoginBody(f *testing.F) {
	f.Add([]byte(dissecttest.RPCLogin))
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		plainBody(b, true, false)
		isapiValue(b, "password")
	})
}
