// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"stillwatch/sensor/internal/dissect"
)

// Extensions that JA4 shows in its first part and leaves out of its hash.
const (
	extServerName = 0x0000
	extALPN       = 0x0010
)

// ja4Empty replaces the hash of an empty list.
const ja4Empty = "000000000000"

// JA4 returns the JA4 fingerprint of a client's hello (FoxIO, technical_details/JA4.md): transport, version, whether a
// server name is sent, number of ciphers and of extensions, first and last character of the first ALPN value; then
// hashes of the sorted ciphers, and of the sorted extensions with the signature algorithms in their order. It is "" for
// the hello of Google QUIC, which is not TLS.
func JA4(h *dissect.TLSClientHello) string {
	if h == nil || !isTLS(h) {
		return ""
	}
	var scratch [64]byte
	b := append(scratch[:0], ja4Transport(h))
	b = append(b, ja4Version(h)...)
	if slices.Contains(h.Extensions, extServerName) {
		b = append(b, 'd')
	} else {
		b = append(b, 'i')
	}
	b = appendTwoDigits(b, countReal(h.Ciphers))
	b = appendTwoDigits(b, countReal(h.Extensions))
	first, last := ja4ALPN(h)
	b = append(b, first, last, '_')
	b = appendCipherHash(b, h.Ciphers)
	b = appendExtensionHash(append(b, '_'), h)
	return string(b)
}

func ja4Transport(h *dissect.TLSClientHello) byte {
	switch {
	case h.QUIC:
		return 'q'
	case h.DTLS:
		return 'd'
	}
	return 't'
}

// ja4Version names the highest version that is offered: from supported_versions if present, otherwise from the legacy
// field. A draft of TLS 1.3 counts by its own number, which has no name.
func ja4Version(h *dissect.TLSClientHello) string {
	best, found := h.Version, false
	for _, v := range h.SupportedVersions {
		// The numbers of DTLS count down.
		if !grease(v) && (!found || (v > best) != h.DTLS) {
			best, found = v, true
		}
	}
	return ja4VersionName(best)
}

func ja4VersionName(v uint16) string {
	switch v {
	case 0x0002:
		return "s2"
	case 0x0300:
		return "s3"
	case 0x0301:
		return "10"
	case 0x0302:
		return "11"
	case 0x0303:
		return "12"
	case 0x0304:
		return "13"
	case 0xfeff:
		return "d1"
	case 0xfefd:
		return "d2"
	case 0xfefc:
		return "d3"
	}
	return "00"
}

// ja4ALPN returns the ends of the first ALPN value. If one of them is neither a letter nor a digit, it returns the ends
// of the hex form of the whole value.
func ja4ALPN(h *dissect.TLSClientHello) (first, last byte) {
	if len(h.ALPN) == 0 || h.ALPN[0] == "" {
		return '0', '0'
	}
	const digits = "0123456789abcdef"
	v := h.ALPN[0]
	first, last = v[0], v[len(v)-1]
	if !alphanumeric(first) || !alphanumeric(last) {
		return digits[first>>4], digits[last&15]
	}
	return first, last
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func countReal(list []uint16) int {
	n := 0
	for _, v := range list {
		if !grease(v) {
			n++
		}
	}
	return n
}

// appendTwoDigits appends n as two digits. Numbers above 99 become 99.
func appendTwoDigits(b []byte, n int) []byte {
	n = min(n, 99)
	return append(b, '0'+byte(n/10), '0'+byte(n%10))
}

func appendCipherHash(b []byte, ciphers []uint16) []byte {
	var lists [256]uint16
	var text [1024]byte
	sorted := lists[:0]
	for _, v := range ciphers {
		if !grease(v) {
			sorted = append(sorted, v)
		}
	}
	slices.Sort(sorted)
	return appendHash12(b, appendHexList(text[:0], sorted))
}

func appendExtensionHash(b []byte, h *dissect.TLSClientHello) []byte {
	var lists [128]uint16
	var text [1024]byte
	sorted := lists[:0]
	for _, v := range h.Extensions {
		if v != extServerName && v != extALPN && !grease(v) {
			sorted = append(sorted, v)
		}
	}
	slices.Sort(sorted)
	out := appendHexList(text[:0], sorted)
	if countReal(h.SigAlgs) > 0 {
		sorted = sorted[:0]
		for _, v := range h.SigAlgs {
			if !grease(v) {
				sorted = append(sorted, v)
			}
		}
		out = appendHexList(append(out, '_'), sorted)
	}
	return appendHash12(b, out)
}

// appendHexList appends the values as four hex digits each, separated by commas.
func appendHexList(b []byte, list []uint16) []byte {
	const digits = "0123456789abcdef"
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, digits[v>>12], digits[v>>8&15], digits[v>>4&15], digits[v&15])
	}
	return b
}

// appendHash12 appends the first twelve hex digits of the SHA-256 of text, or zeros if text is empty.
func appendHash12(b, text []byte) []byte {
	if len(text) == 0 {
		return append(b, ja4Empty...)
	}
	sum := sha256.Sum256(text)
	return hex.AppendEncode(b, sum[:6])
}
