// SPDX-License-Identifier: Apache-2.0

package dissect

import "encoding/binary"

// upgradeStream reads a protocol that begins with one message each way and goes on in TLS if the server agrees.
type upgradeStream struct {
	// size is the length of the first message, 0 if it is not complete, -1 if none of the protocol.
	size func(dir int, head []byte) int
	// agrees says whether the server's message turns to TLS.
	agrees  func(reply []byte) bool
	lengths [2]int
	tunnel  *handover
	stopped bool
}

func (u *upgradeStream) feed(dir int, head []byte, final bool, sink Sink) int {
	if u.tunnel == nil && !u.stopped && u.lengths[dir] == 0 {
		n := u.size(dir, head)
		if n == 0 {
			return len(head) + 1
		}
		u.lengths[dir] = n
		u.stopped = n < 0 || dir == FromServer && !u.agrees(head[:n])
		if !u.stopped && dir == FromServer {
			u.tunnel = &handover{}
		}
	}
	switch {
	case u.stopped:
		return 0
	case u.tunnel == nil || u.lengths[dir] == 0:
		return len(head) + 1
	}
	u.tunnel.from[dir] = u.lengths[dir]
	return u.tunnel.feed(dir, head, final, sink)
}

// postgresSSL is the code of an SSLRequest, postgresGSS that of a request for GSSAPI encryption, postgresV3 the protocol of a
// startup message (PostgreSQL documentation, "Message Formats").
const (
	postgresSSL    = 80877103
	postgresCancel = 80877102
	postgresGSS    = 80877104
	postgresV3     = 3 << 16
)

func looksPostgres(head []byte, _ bool, _ Ports) verdict {
	const request, cancel, maxStartup = 8, 16, 10000
	if head[0] != 0 || len(head) >= 2 && head[1] != 0 {
		return no
	}
	if len(head) < request {
		return maybe
	}
	size, code := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
	switch {
	case size == request && (code == postgresSSL || code == postgresGSS), size == cancel && code == postgresCancel:
		return yes
	case code != postgresV3 || size < 9 || size > maxStartup:
		return no
	case len(head) < request+5:
		return maybe
	case string(head[8:13]) == "user\x00", string(head[8:13]) == "datab", string(head[8:13]) == "clien", string(head[8:13]) == "appli":
		return yes
	}
	return no
}

// looksRDP tells the connection request of RDP in its TPKT and X.224 headers (MS-RDPBCGR 2.2.1.1). Other protocols have
// these headers as well, so a cookie or a negotiation request must follow, or the port must be the usual one.
func looksRDP(head []byte, _ bool, ports Ports) verdict {
	const sure = 11
	if v := startsWith(head, "\x03\x00"); v != yes {
		return v
	}
	switch {
	case len(head) > 5 && head[5] != 0xe0:
		return no
	case len(head) < sure:
		return maybe
	}
	size := int(binary.BigEndian.Uint16(head[2:]))
	if size < sure || size > 512 || int(head[4]) != size-5 {
		return no
	}
	if size == sure {
		return yesIf(ports.has(3389))
	}
	rest := head[sure:min(len(head), size)]
	return max(startsWith(rest, "Cookie: "), startsWith(rest, "\x01\x00\x08\x00"), startsWith(rest, "\x01\x01\x08\x00"))
}

func yesIf(b bool) verdict {
	if b {
		return yes
	}
	return no
}

func openRDP(*Conversation) streamDissector {
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

// rdpChoseTLS reads the server's choice (MS-RDPBCGR 2.2.1.2.1): anything but standard RDP security is within TLS.
func rdpChoseTLS(reply []byte) bool {
	const response = 2
	return len(reply) >= 19 && reply[11] == response && binary.LittleEndian.Uint32(reply[15:]) != 0
}
