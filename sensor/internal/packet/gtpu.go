// SPDX-License-Identifier: Apache-2.0

package packet

// gtpu reads GTP-U version 1 (3GPP TS 29.281 section 5.1) with a G-PDU, message type 255. Signalling messages, GTP' and other traffic on the
// port remain UDP.
func gtpu(p *Packet, b []byte, n, depth int) Verdict {
	const (
		versionAndType = 0xf0 // version 1, protocol type GTP
		flagExtension  = 0x04
		flagsOptional  = 0x07
		gpdu           = 255
	)
	if len(b) < 8 || b[0]&versionAndType != 0x30 || b[1] != gpdu || 8+int(be16(b[2:])) > n {
		return VerdictOK
	}
	n = 8 + int(be16(b[2:]))
	b = cut(b, n)
	at := 8
	if b[0]&flagsOptional != 0 {
		at = 12
		if at > len(b) {
			return VerdictOK
		}
		if b[0]&flagExtension != 0 {
			at = gtpuExtensions(b)
		}
	}
	if at == 0 || at >= len(b) {
		return VerdictOK
	}
	version := b[at] >> 4
	if version != 4 && version != 6 {
		return VerdictOK // the PDU is PPP, Ethernet or unstructured
	}
	return verified(p, TunnelGTPU, be32(b[4:]), true, ipEtherType(b[at:]), b[at:], n-at, depth)
}

// gtpuExtensions skips extension headers (section 5.2): length in words of 4 bytes, the type of the next one in the last byte. It returns the
// offset after them, 0 if they do not end within b. b holds at least 12 bytes.
func gtpuExtensions(b []byte) int {
	const maxHeaders = 16
	at, next := 12, b[11]
	for range maxHeaders {
		if next == 0 {
			return at
		}
		if at >= len(b) || b[at] == 0 || at+int(b[at])*4 > len(b) {
			return 0
		}
		at += int(b[at]) * 4
		next = b[at-1]
	}
	return 0
}
