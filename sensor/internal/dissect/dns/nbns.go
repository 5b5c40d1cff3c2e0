// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
)

// LooksNBNS recognizes NetBIOS names (RFC 1002 section 4.1): the format of DNS, with a name of 32 letters A to P and
// types of its own.
func LooksNBNS(b []byte, _ dissect.Ports) bool {
	const name, kinds = 32, headerLen + 1 + 32 + 1
	if len(b) < kinds+4 || b[headerLen] != name {
		return false
	}
	for _, c := range b[headerLen+1 : headerLen+1+name] {
		if c < 'A' || c > 'P' {
			return false
		}
	}
	kind := binary.BigEndian.Uint16(b[kinds:])
	return kind == 0x20 || kind == 0x21
}
