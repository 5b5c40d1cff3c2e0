// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"encoding/binary"
	"slices"
	"testing"

	"stillwatch/sensor/internal/dissect"
)

// TestTLSHelloLists checks lists of any length, whether or not they fit into the allocation of the hello.
func TestTLSHelloLists(t *testing.T) {
	list := func(n int, first uint16) (l []uint16) {
		for i := range n {
			l = append(l, first+uint16(i))
		}
		return l
	}
	wire := func(l []uint16) (b []byte) {
		for _, v := range l {
			b = binary.BigEndian.AppendUint16(b, v)
		}
		return b
	}
	vec16 := func(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }
	for _, n := range []int{0, 1, 10, 20, 21, 44, 45, 200} {
		ciphers, groups, algs, empty := list(n, 0x1300), list(n, 1), list(n, 0x400), list(n, 0x5000)
		exts := append([]byte{0, extGroups}, vec16(vec16(wire(groups)))...)
		for _, typ := range empty {
			exts = append(binary.BigEndian.AppendUint16(exts, typ), 0, 0)
		}
		exts = append(append(exts, 0, extSigAlgs), vec16(vec16(wire(algs)))...)
		body := append([]byte{3, 3}, make([]byte, 33)...)
		body = append(append(body, vec16(wire(ciphers))...), 1, 0)
		h := ParseClientHello(append(body, vec16(exts)...), false)
		types := append(append([]uint16{extGroups}, empty...), extSigAlgs)
		if !slices.Equal(h.Ciphers, ciphers) || !slices.Equal(h.Groups, groups) || !slices.Equal(h.SigAlgs, algs) || !slices.Equal(h.Extensions, types) {
			t.Errorf("%d: %+v", n, h)
		}
		answer := append([]byte{3, 3}, make([]byte, 33)...)
		s := ParseServerHello(append(append(answer, 0x13, 1, 0), vec16(exts)...), false)
		if !slices.Equal(s.Extensions, types) || s.Cipher != 0x1301 {
			t.Errorf("%d: %+v", n, s)
		}
	}
}

// TestRepeatedLeafIsSameFact checks that a certificate is the same fact when it is seen again.
func TestRepeatedLeafIsSameFact(t *testing.T) {
	leaf := func(der []byte) (c *dissect.TLSCertificate) {
		n := len(der)
		emitLeaf(append([]byte{0, 0, byte(n + 3), 0, byte(n >> 8), byte(n)}, der...), func(f dissect.Fact) { c = f.(*dissect.TLSCertificate) })
		return c
	}
	a, b := []byte("not a certificate"), []byte("nor is this one")
	first := leaf(a)
	if other := leaf(b); other.SHA256 != parseCertificate(b).SHA256 || other.SHA256 == first.SHA256 {
		t.Errorf("%+v", other)
	}
	if again := leaf(a); again != first || again.SHA256 != parseCertificate(a).SHA256 {
		t.Errorf("%+v, before %+v", again, first)
	}
}
