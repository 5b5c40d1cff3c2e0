// SPDX-License-Identifier: Apache-2.0

package packet

// teredo reads Teredo (RFC 4380 section 5.1.1): IPv6 in UDP, after an optional authentication and origin indication.
func teredo(p *Packet, b []byte, n, depth int) Verdict {
	at := 0
	if len(b) >= 4 && be16(b) == 0x0001 { // lengths of client id and authentication value, then nonce and confirmation
		at = 4 + int(b[2]) + int(b[3]) + 9
	}
	if at+8 <= len(b) && be16(b[at:]) == 0x0000 {
		at += 8
	}
	if at > len(b) || !plausibleIPv6(b[at:], n-at) {
		return VerdictOK
	}
	return verified(p, TunnelTeredo, 0, false, etherIPv6, b[at:], n-at, depth)
}
