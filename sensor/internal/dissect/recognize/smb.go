// SPDX-License-Identifier: Apache-2.0

// Package recognize recognizes protocols whose sessions are named and not read.
package recognize

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
)

// LooksSMB recognizes SMB 1 and 2 within a NetBIOS session message (RFC 1002 section 4.3.1), or the session request before it.
func LooksSMB(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	if head[0] == 0x81 && ports.Has(139) {
		return match.AnyPrefix(head, "\x81\x00\x00\x44\x20", "\x81\x00\x00\x48\x20")
	}
	if head[0] != 0 {
		return match.No
	}
	if len(head) < 4 {
		return match.Maybe
	}
	return match.AnyPrefix(head[4:], "\xffSMB", "\xfeSMB", "\xfdSMB")
}
