// SPDX-License-Identifier: Apache-2.0

package dissecttest

import (
	"encoding/binary"
	"strings"
)

// UTF16 returns ASCII text as little-endian UTF-16.
func UTF16(s string) string {
	var b []byte
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return string(b)
}

// NTLMChallenge returns a challenge of a computer that runs Windows 10.0 with a build, or names no system if that is zero.
func NTLMChallenge(computer, dnsName string, build uint16) string {
	pair := func(id byte, s string) string {
		return string([]byte{id, 0, byte(2 * len(s)), 0}) + UTF16(s)
	}
	names := pair(2, "CORP") + pair(1, computer)
	if dnsName != "" {
		names += pair(3, dnsName)
	}
	names += "\x07\x00\x08\x00SECRETTM\x00\x00\x00\x00"
	b := []byte("NTLMSSP\x00\x02\x00\x00\x00\x08\x00\x08\x00\x38\x00\x00\x00\x15\x82\x89\x62SECRETCH")
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(names)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(names)))
	b = append(b, 0x40, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(append(b, 10, 0), build)
	return string(b) + "\x00\x00\x00\x0f" + UTF16("CORP") + names
}

// NTLMAuthenticate returns the answer of a client on a workstation with a system as in NTLMChallenge.
func NTLMAuthenticate(workstation string, build uint16) string {
	const headLen = 72
	field := func(n, at int) []byte { return []byte{byte(n), 0, byte(n), 0, byte(at), 0, 0, 0} }
	n := 2 * len(workstation)
	b := []byte("NTLMSSP\x00\x03\x00\x00\x00")
	b = append(b, field(10, headLen+n)...) // responses
	b = append(b, field(10, headLen+n)...)
	b = append(b, field(0, headLen)...)
	b = append(b, field(8, headLen+n+10)...)
	b = append(b, field(n, headLen)...)
	b = append(b, field(0, headLen)...)
	b = append(b, 0x15, 0x82, 0x89, 0x62, 10, 0)
	b = binary.LittleEndian.AppendUint16(b, build)
	return string(b) + "\x00\x00\x00\x0f" + UTF16(workstation) + "SECRETHASH" + UTF16("root")
}

// NTLMAnonymous returns the answer of a client that logs in as nobody.
func NTLMAnonymous() string {
	empty := "\x00\x00\x00\x00\x48\x00\x00\x00"
	return "NTLMSSP\x00\x03\x00\x00\x00\x01\x00\x01\x00\x48\x00\x00\x00" + strings.Repeat(empty, 5) + "\x15\x8a\x88\xe2\x0a\x00\x00\x00\x00\x00\x00\x0f\x00"
}
