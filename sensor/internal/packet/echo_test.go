// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

// echoes returns payloads of n bytes as programs send them, by name.
func echoes(n int) map[string][]byte {
	clock := []byte{0x5f, 0x3a, 0xa4, 0x69, 0, 0, 0, 0, 0x91, 0x07, 0x0b, 0, 0, 0, 0, 0}
	count := make([]byte, n)
	for i := range count {
		count[i] = byte(i)
	}
	after := func(head, rest []byte) []byte { return append(append([]byte{}, head...), rest[len(head):]...) }
	repeat := func(s string) []byte { return []byte(strings.Repeat(s, n/len(s)+1)[:n]) }
	sum := sha256.Sum256(clock)
	return map[string][]byte{
		"Linux":           after(clock, count),
		"macOS":           after(clock[:8], count),
		"OpenBSD":         after(append(clock[:16:16], sum[:8]...), count),
		"Windows":         repeat("abcdefghijklmnopqrstuvw"),
		"zeros":           make([]byte, n),
		"fping":           after(clock, make([]byte, n)),
		"BusyBox":         after(clock[:4], make([]byte, n)),
		"Cisco":           after(clock[:8], repeat("\xab\xcd")),
		"pattern of ping": after(clock, repeat("\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10")),
		"hping":           repeat("X"),
	}
}

func TestUsualEcho(t *testing.T) {
	for _, n := range []int{32, 56, 64, 128, 1024, 1472, 65500} {
		for name, b := range echoes(n) {
			if !UsualEcho(b) {
				t.Errorf("%s, %d bytes: not usual", name, n)
			}
		}
	}
	text := []byte("uid=0(root) gid=0(root) groups=0(root)\nLinux srv-legacy-07 5.10.0 #1 SMP x86_64 GNU/Linux\n")
	for name, b := range map[string][]byte{"text": text, "random": random(200), "random, 64 bytes": random(64), "usual with one byte changed": changed(echoes(100)["Linux"])} {
		if UsualEcho(b) {
			t.Errorf("%s: usual", name)
		}
	}
}

func random(n int) (b []byte) {
	for x := sha256.Sum256(nil); len(b) < n; x = sha256.Sum256(x[:]) {
		b = append(b, x[:]...)
	}
	return b[:n]
}

func changed(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

func FuzzUsualEcho(f *testing.F) {
	for _, b := range echoes(100) {
		f.Add(b)
	}
	f.Add(random(1400))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		if !UsualEcho(b) && len(b) < MinEcho {
			t.Errorf("%d bytes carry data", len(b))
		}
	})
}

func BenchmarkUsualEcho(b *testing.B) {
	for name, x := range map[string][]byte{"Linux": echoes(64)["Linux"], "random": random(1400)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				UsualEcho(x)
			}
		})
	}
}
