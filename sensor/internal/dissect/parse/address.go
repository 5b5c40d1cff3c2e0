// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"bytes"
	"net/netip"
)

// MAC reads a MAC address of 12 hexadecimal digits, with or without colons, dashes or dots between them. It returns the zero address if
// b is none.
func MAC(b []byte) (mac [6]byte) {
	n := 0
	for _, c := range bytes.TrimSpace(b) {
		switch {
		case c == ':' || c == '-' || c == '.':
		case !IsHex(c) || n == 12:
			return [6]byte{}
		default:
			mac[n/2] = mac[n/2]<<4 | HexValue(c)
			n++
		}
	}
	if n != 12 {
		return [6]byte{}
	}
	return mac
}

// Addr reads an IP address in text. It returns the invalid address if b is none, or the unspecified one.
func Addr(b []byte) netip.Addr {
	b = bytes.TrimSpace(b)
	if len(b) > 45 { // the longest form, of IPv6 with an IPv4 address at its end
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(string(b))
	if err != nil || a.IsUnspecified() || a.Zone() != "" {
		return netip.Addr{}
	}
	return a
}

// Addr4 returns the IPv4 address in the first four bytes of b, the invalid address if there are fewer or all are zero.
func Addr4(b []byte) netip.Addr {
	if len(b) < 4 || [4]byte(b) == [4]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(b))
}

// CString returns the text before the first NUL byte.
func CString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
