// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"strings"
)

// packetSizes describes the size of an encrypted packet of one direction (RFC 4253 section 6): length, padding length,
// payload, at least four bytes of padding up to a multiple of block, and the authentication tag.
type packetSizes struct {
	block    int  // 0 if the algorithms are not known
	tag      int  // bytes
	separate bool // the length is not part of what is padded (encrypt-then-MAC, GCM, ChaCha20)
	clear    bool // the length is not encrypted
}

// macTagLen is the length of the tag in bytes by the name of the MAC, without "-etm" and the domain.
var macTagLen = map[string]int{
	"hmac-sha1": 20, "hmac-sha1-96": 12, "hmac-md5": 16, "hmac-md5-96": 12, "hmac-ripemd160": 20,
	"hmac-sha2-256": 32, "hmac-sha2-256-96": 12, "hmac-sha2-512": 64, "hmac-sha2-512-96": 12, "umac-64": 8, "umac-128": 16,
}

// sizesOf returns the sizes for a cipher and a MAC.
func sizesOf(cipher, mac string) packetSizes {
	cipher, _, _ = strings.Cut(cipher, "@")
	switch {
	case cipher == "chacha20-poly1305": // both lengths are encrypted (OpenSSH, PROTOCOL.chacha20poly1305)
		return packetSizes{block: 8, tag: 16, separate: true}
	case strings.HasSuffix(cipher, "-gcm"), strings.HasPrefix(cipher, "AEAD_AES_"): // RFC 5647
		return packetSizes{block: 16, tag: 16, separate: true, clear: true}
	}
	mac, _, _ = strings.Cut(mac, "@")
	mac, etm := strings.CutSuffix(mac, "-etm")
	s := packetSizes{block: blockLen(cipher), tag: macTagLen[mac], separate: etm, clear: etm}
	if s.tag == 0 {
		s.block = 0
	}
	return s
}

// blockLen returns the block size in bytes of a cipher that is used with a MAC, or 0 if it is not known.
func blockLen(cipher string) int {
	switch name, _, _ := strings.Cut(cipher, "-"); name {
	case "aes128", "aes192", "aes256", "rijndael", "camellia128", "camellia192", "camellia256", "serpent128", "serpent192", "serpent256",
		"twofish", "twofish128", "twofish192", "twofish256":
		return 16
	case "3des", "blowfish", "cast128", "idea", "arcfour", "arcfour128", "arcfour256":
		return 8
	}
	return 0
}

// of returns the size of a packet with a payload of n bytes and the least padding.
func (s packetSizes) of(n int) int {
	head := 5
	if s.separate {
		head = 1
	}
	return s.rest() + (head+n+4+s.block-1)/s.block*s.block
}

// rest returns the size of the part that is not padded.
func (s packetSizes) rest() int {
	if s.separate {
		return 4 + s.tag
	}
	return s.tag
}

// most returns the longest payload that a packet of that size can have.
func (s packetSizes) most(size int) int {
	if s.separate {
		return size - s.rest() - 5
	}
	return size - s.rest() - 9
}

// least returns the shortest payload of a packet of that size with the least padding.
func (s packetSizes) least(size int) int { return s.most(size) - s.block + 1 }

// one reports whether a segment of that size cannot be more than one packet: its length allows no other number, or no
// two packets are that short.
func (s packetSizes) one(size int) bool {
	if s.clear {
		return true
	}
	if size < s.of(1)+s.of(leastBanner) {
		return true
	}
	if s.rest()%s.block == 0 {
		return false
	}
	return size%s.block == s.rest()%s.block && 2*s.rest()%s.block != s.rest()%s.block
}

// whole reports whether a segment of that size can consist of whole packets, a few at most.
func (s packetSizes) whole(size int) bool {
	for n := 1; n <= 4 && size >= n*s.of(1); n++ {
		if (size-n*s.rest())%s.block == 0 {
			return true
		}
	}
	return false
}

// widen learns from the size of a packet with a payload of n bytes whether this side pads to more than a block: Go's
// library pads to 16 bytes with any cipher.
func (s *packetSizes) widen(size, n int) {
	if wide := (packetSizes{16, s.tag, s.separate, s.clear}); s.block == 8 && size != s.of(n) && size == wide.of(n) {
		*s = wide
	}
}
