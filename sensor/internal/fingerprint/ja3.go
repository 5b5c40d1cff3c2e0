// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"crypto/md5"
	"encoding/hex"
	"strconv"

	"stillwatch/sensor/internal/dissect"
)

// grease reports whether v is one of the values that clients insert into their lists so that servers learn to ignore
// unknown ones (RFC 8701 section 2).
func grease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// JA3 returns the MD5, in lower-case hex, of "version,ciphers,extensions,groups,point formats" of a client's hello, decimal
// numbers joined by "-", without GREASE (https://github.com/salesforce/ja3). It is "" for an SSL 2.0 hello, which has no
// such lists, and for the hello of Google QUIC, which is not TLS.
func JA3(h *dissect.TLSClientHello) string {
	if h == nil || h.SSL2 || !isTLS(h) {
		return ""
	}
	var scratch [1024]byte
	b := strconv.AppendUint(scratch[:0], uint64(h.Version), 10)
	b = appendDecimals(append(b, ','), h.Ciphers)
	b = appendDecimals(append(b, ','), h.Extensions)
	b = appendDecimals(append(b, ','), h.Groups)
	b = append(b, ',')
	for i, f := range h.PointFormats {
		if i > 0 {
			b = append(b, '-')
		}
		b = strconv.AppendUint(b, uint64(f), 10)
	}
	return md5Hex(b)
}

// JA3S returns the MD5, in lower-case hex, of "version,cipher,extensions" of a server's hello
// (https://github.com/salesforce/ja3). The version is the one in the legacy field. It is "" for SSL 2.0.
func JA3S(h *dissect.TLSServerHello) string {
	if h == nil || h.SSL2 {
		return ""
	}
	var scratch [256]byte
	b := strconv.AppendUint(scratch[:0], uint64(h.LegacyVersion), 10)
	b = strconv.AppendUint(append(b, ','), uint64(h.Cipher), 10)
	b = appendDecimals(append(b, ','), h.Extensions)
	return md5Hex(b)
}

// isTLS reports whether h is not the hello of Google QUIC, of which only the server name is known.
func isTLS(h *dissect.TLSClientHello) bool { return h.Version != 0 || len(h.Ciphers) > 0 }

func appendDecimals(b []byte, list []uint16) []byte {
	first := true
	for _, v := range list {
		if grease(v) {
			continue
		}
		if !first {
			b = append(b, '-')
		}
		first = false
		b = appendDecimal(b, v)
	}
	return b
}

// appendDecimal appends the digits of v. It is most of the cost of JA3 beside the hash.
func appendDecimal(b []byte, v uint16) []byte {
	if v < 10 {
		return append(b, '0'+byte(v))
	}
	var digits [5]byte
	at := len(digits)
	for ; v > 0; v /= 10 {
		at--
		digits[at] = '0' + byte(v%10)
	}
	return append(b, digits[at:]...)
}

func md5Hex(b []byte) string {
	sum := md5.Sum(b)
	var text [2 * md5.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}
