// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/tls"
)

// upgradeStream reads a protocol that begins with one message each way and continues in TLS if the server agrees.
type upgradeStream struct {
	// size returns the length of the first message, 0 if it is not complete, -1 if it is not of the protocol.
	size func(dir int, head []byte) int
	// agrees reports whether the server's message changes to TLS.
	agrees  func(reply []byte) bool
	lengths [2]int
	tunnel  *tls.Upgrade
	stopped bool
}

func (u *upgradeStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	if u.tunnel == nil && !u.stopped && u.lengths[dir] == 0 {
		n := u.size(dir, head)
		if n == 0 {
			return len(head) + 1
		}
		u.lengths[dir] = n
		u.stopped = n < 0 || dir == dissect.FromServer && !u.agrees(head[:n])
		if !u.stopped && dir == dissect.FromServer {
			u.tunnel = &tls.Upgrade{}
		}
	}
	switch {
	case u.stopped:
		return 0
	case u.tunnel == nil || u.lengths[dir] == 0:
		return len(head) + 1
	}
	u.tunnel.From[dir] = u.lengths[dir]
	return u.tunnel.Feed(dir, head, final, sink)
}

// LooksRDP recognizes the connection request of RDP with its TPKT and X.224 headers (MS-RDPBCGR 2.2.1.1). Other
// protocols have these headers as well, so a cookie or a negotiation request must follow, or the port must be that of
// RDP.
func LooksRDP(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const sure = 11
	if v := match.Prefix(head, "\x03\x00"); v != match.Yes {
		return v
	}
	switch {
	case len(head) > 5 && head[5] != 0xe0:
		return match.No
	case len(head) < sure:
		return match.Maybe
	}
	size := int(binary.BigEndian.Uint16(head[2:]))
	if size < sure || size > 512 || int(head[4]) != size-5 {
		return match.No
	}
	if size == sure {
		return match.If(ports.Has(3389))
	}
	rest := head[sure:min(len(head), size)]
	return max(match.Prefix(rest, "Cookie: "), match.Prefix(rest, "\x01\x00\x08\x00"), match.Prefix(rest, "\x01\x01\x08\x00"))
}

// NewRDP returns a dissector of RDP.
func NewRDP() dissect.Stream {
	return &upgradeStream{
		size: func(_ int, head []byte) int {
			if len(head) < 4 {
				return 0
			}
			n := int(binary.BigEndian.Uint16(head[2:]))
			switch {
			case head[0] != 3 || n < 11:
				return -1
			case len(head) < n:
				return 0
			}
			return n
		},
		agrees: rdpChoseTLS,
	}
}

// rdpChoseTLS reads the server's choice (MS-RDPBCGR 2.2.1.2.1): anything but standard RDP security runs in TLS.
func rdpChoseTLS(reply []byte) bool {
	const response = 2
	return len(reply) >= 19 && reply[11] == response && binary.LittleEndian.Uint32(reply[15:]) != 0
}
