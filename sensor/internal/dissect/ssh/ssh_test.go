// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
)

// Packet wraps a payload as RFC 4253 section 6 has it, in clear text.
func Packet(payload string) string {
	const padding = 4
	n := 1 + len(payload) + padding
	return string([]byte{0, 0, byte(n >> 8), byte(n), padding}) + payload + "pppp"
}

// Offer makes SSH_MSG_KEXINIT with the given compressions.
func Offer(compression string) string { return offerOf("aes128-ctr", "hmac-sha1", compression) }

func offerOf(cipher, mac, compression string) string {
	payload := string(rune(msgKexInit)) + strings.Repeat("c", 16)
	for _, list := range []string{"kex", "key", cipher, cipher, mac, mac, compression, compression, "", ""} {
		payload += string([]byte{0, 0, 0, byte(len(list))}) + list
	}
	return Packet(payload + "\x00\x00\x00\x00\x00")
}

// A server may send lines before its identification; a client may not.
func TestSSHLinesBeforeIdentification(t *testing.T) {
	var s Stream
	var got []dissect.SSHBanner
	sink := func(f dissect.Fact) {
		if b, ok := f.(*dissect.SSHBanner); ok {
			got = append(got, *b)
		}
	}
	s.Feed(dissect.FromServer, []byte("welcome\r\nto this\r\nSSH-2.0-S comment\r\n"), false, sink)
	if s.Feed(dissect.FromClient, []byte("hello\r\nSSH-2.0-C\r\n"), false, sink) != 0 {
		t.Error("goes on with a client that does not speak SSH")
	}
	if !slices.Equal(got, []dissect.SSHBanner{{Server: true, Line: "SSH-2.0-S comment"}}) {
		t.Errorf("banners %+v", got)
	}
}

// TestSSHNoResultAfterGap: after a gap the sizes of segments prove nothing.
func TestSSHNoResultAfterGap(t *testing.T) {
	var s Stream
	n := 0
	sink := func(f dissect.Fact) {
		if _, ok := f.(*dissect.SSHAuth); ok {
			n++
		}
	}
	newKeys := Packet(string(rune(msgNewKeys)))
	head := []byte("SSH-2.0-S\r\n" + newKeys)
	s.Feed(dissect.FromServer, head, false, sink)
	s.Feed(dissect.FromClient, []byte("SSH-2.0-C\r\n"+newKeys), true, sink)
	for _, size := range []int{52, 36} {
		head = append(head, make([]byte, size)...)
		s.Feed(dissect.FromServer, head, false, sink)
	}
	if n != 0 {
		t.Errorf("%d results after a gap", n)
	}
}

func FuzzSSHStream(f *testing.F) {
	f.Add([]byte("SSH-2.0-C\r\n"+Offer("none")+Packet(string(rune(msgNewKeys)))+"encrypted"), 5)
	f.Add([]byte("text\r\nSSH-1.99-S\n"+Offer("zlib")), 100)
	f.Add([]byte("SSH-1.5-S\n"), 1)
	mutate.Fuzz(f, func(t *testing.T, data []byte, step int) {
		step = max(step&0xff, 1)
		var s Stream
		wants := [2]int{1, 1}
		for n := 0; n <= len(data); n += step {
			for dir, want := range wants {
				if want == 0 || n < want {
					continue
				}
				wants[dir] = s.Feed(dir, data[:n], false, func(dissect.Fact) {})
				if wants[dir] != 0 && wants[dir] <= n {
					t.Fatalf("wants %d of %d bytes", wants[dir], n)
				}
			}
		}
		s.Feed(dissect.FromClient, data, true, func(dissect.Fact) {})
		s.Feed(dissect.FromServer, data, true, func(dissect.Fact) {})
	})
}
