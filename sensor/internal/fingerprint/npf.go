// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/memo"
)

// Network Protocol Fingerprinting (NPF), from Cisco Mercury: a fingerprint is a tree of byte strings in hexadecimal, in parentheses; a list
// in brackets is sorted. doc/npf.md in https://github.com/cisco/mercury defines tcp, tls and ssh. It does not define tcp_server, tls_server
// and dhcp, which are as Mercury writes them.

// maxNPF is the length at which a fingerprint is dropped: those in use have a few hundred characters.
const maxNPF = 4096

var npfTexts memo.Table[string]

// npfText returns b as a string that equal fingerprints share, "" if it is too long.
func npfText(b []byte) string {
	if len(b) > maxNPF {
		return ""
	}
	return *npfTexts.Of(b, func() *string { s := string(b); return &s })
}

// NPFClient returns the fingerprint of a client's hello in the format tls/1, in which the extensions are sorted: legacy version, ciphers,
// extensions. It is "" for hellos of SSL 2.0 and QUIC.
func NPFClient(h *dissect.TLSClientHello) string {
	if h == nil || h.SSL2 || h.QUIC || !isTLS(h) {
		return ""
	}
	var room [1536]byte
	b := append(room[:0], "tls/1/"...)
	if h.DTLS {
		b = append(room[:0], "dtls/1/"...)
	}
	b = appendNPF16(b, h.Version)
	b = append(b, '(')
	for _, c := range h.Ciphers {
		b = appendHex16(b, degrease(c))
	}
	b = append(b, ")["...)
	var list [64]npfExtension
	exts := npfExtensions(list[:0], h.Extensions, h.NPFBodies)
	slices.SortStableFunc(exts, func(x, y npfExtension) int {
		return cmp.Or(cmp.Compare(x.typ, y.typ), cmp.Compare(len(x.body), len(y.body)), bytes.Compare(x.body, y.body))
	})
	return npfText(append(appendNPFExtensions(b, exts), ']'))
}

// NPFServer returns the fingerprint of a server's hello: legacy version, cipher, extensions in their order. It is "" for SSL 2.0.
func NPFServer(h *dissect.TLSServerHello) string {
	if h == nil || h.SSL2 {
		return ""
	}
	var room [256]byte
	b := append(room[:0], "tls_server/"...)
	if h.DTLS {
		b = append(room[:0], "dtls_server/"...)
	}
	b = appendNPF16(appendNPF16(b, h.LegacyVersion), h.Cipher)
	var list [16]npfExtension
	return npfText(append(appendNPFExtensions(append(b, '('), npfExtensions(list[:0], h.Extensions, h.NPFBodies)), ')'))
}

// npfExtension is an extension of a hello. body is nil if only the type counts.
type npfExtension struct {
	typ  uint16
	body []byte
}

// npfExtensions appends the extensions of a hello to list. bodies are as in dissect.TLSClientHello.
func npfExtensions(list []npfExtension, types []uint16, bodies []byte) []npfExtension {
	for _, t := range types {
		x := npfExtension{typ: degrease(t)}
		if len(bodies) >= 4 && binary.BigEndian.Uint16(bodies) == t {
			if end := 4 + int(binary.BigEndian.Uint16(bodies[2:])); end <= len(bodies) {
				x.body, bodies = bodies[2:end], bodies[end:]
			}
		}
		list = append(list, x)
	}
	return list
}

func appendNPFExtensions(b []byte, list []npfExtension) []byte {
	for i := range list {
		x := &list[i]
		b = appendHex16(append(b, '('), x.typ)
		if len(x.body) >= 2 {
			b = appendHex(b, x.body[:2])
			b = appendExtensionHex(b, x.typ, x.body[2:])
		}
		b = append(b, ')')
	}
	return b
}

// Extensions with values in which clients put GREASE.
const (
	extGroups   = 0x000a
	extVersions = 0x002b
)

// appendExtensionHex appends the data of an extension without GREASE. The lists begin with their length, in 2 bytes (groups) or 1 (versions
// of a client; a server sends one version and no length).
func appendExtensionHex(b []byte, typ uint16, data []byte) []byte {
	skip := len(data)
	switch {
	case typ == extGroups:
		skip = min(2, skip)
	case typ == extVersions:
		skip &= 1
	}
	b = appendHex(b, data[:skip])
	for data = data[skip:]; len(data) >= 2; data = data[2:] {
		b = appendHex16(b, degrease(binary.BigEndian.Uint16(data)))
	}
	return appendHex(b, data)
}

// degrease replaces all GREASE values by one.
func degrease(v uint16) uint16 {
	if grease(v) {
		return 0x0a0a
	}
	return v
}

// NPFSSH returns the fingerprint of one end of an SSH session: its identification line and the name lists of its SSH_MSG_KEXINIT. If the line
// is not known, it is the fingerprint of the lists alone.
func NPFSSH(line string, k *dissect.SSHKexInit) string {
	if k == nil {
		return ""
	}
	prefix := "ssh"
	if line == "" {
		prefix = "ssh_kex"
	}
	if k.Server {
		prefix += "_server"
	}
	var room [3072]byte
	b := append(append(room[:0], prefix...), '/')
	if line != "" {
		b = appendNPFText(b, line)
	}
	for _, list := range [...]string{k.Kex, k.HostKey, k.EncC2S, k.EncS2C, k.MACC2S, k.MACS2C, k.CompressionC2S, k.CompressionS2C,
		k.LanguagesC2S, k.LanguagesS2C} {
		b = appendNPFText(b, list)
	}
	return npfText(b)
}

// Options of DHCP that count with their values: message type, parameter request list, vendor-identifying vendor class.
const (
	dhcpPad         = 0
	dhcpMessageType = 53
	dhcpParameters  = 55
	dhcpVendorClass = 124
	dhcpEnd         = 255
)

// NPFDHCP returns the fingerprint of a message of a DHCP client: its options in their order. It is "" for other messages.
func NPFDHCP(m *dissect.DHCPMessage) string {
	switch m.Type {
	case "discover", "request", "inform":
	default:
		return ""
	}
	var room [512]byte
	b := append(room[:0], "dhcp/"...)
	for o := m.Options; len(o) > 0; {
		code, size := o[0], 1
		if code != dhcpPad && code != dhcpEnd {
			if len(o) < 2 || len(o) < 2+int(o[1]) {
				break
			}
			size = 2 + int(o[1])
		}
		switch code {
		case dhcpPad:
		case dhcpMessageType, dhcpParameters, dhcpVendorClass:
			b = append(appendHex(append(b, '('), o[:size]), ')')
		default:
			b = append(appendHex(append(b, '('), o[:1]), ')')
		}
		if o = o[size:]; code == dhcpEnd {
			break
		}
	}
	return npfText(b)
}

const hexDigits = "0123456789abcdef"

func appendHex[T ~string | ~[]byte](b []byte, x T) []byte {
	for i := range len(x) {
		b = append(b, hexDigits[x[i]>>4], hexDigits[x[i]&15])
	}
	return b
}

func appendHex16(b []byte, v uint16) []byte {
	return append(b, hexDigits[v>>12], hexDigits[v>>8&15], hexDigits[v>>4&15], hexDigits[v&15])
}

func appendNPF16(b []byte, v uint16) []byte { return append(appendHex16(append(b, '('), v), ')') }

func appendNPFText(b []byte, s string) []byte { return append(appendHex(append(b, '('), s), ')') }
