// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"encoding/binary"
)

// mysqlStream reads the greeting of the server and the first answer of the client, which may be a request for TLS: then both go
// on in TLS at once. (MySQL client/server protocol, Protocol::SSLRequest.)
type mysqlStream struct {
	tunnel  handover
	tls     bool
	stopped bool
}

const (
	mysqlHeadLen = 4 // length of 3 bytes, number
	mysqlRequest = mysqlHeadLen + 32
)

// looksMySQL tells the greeting of the server: a packet with number 0, protocol 10, a version in text (MySQL internals,
// Protocol::HandshakeV10); or an error packet where MySQL is expected.
func looksMySQL(head []byte, _ bool, ports Ports) verdict {
	const headLen, maxVersion = 5, 64
	if len(head) < headLen {
		return maybe
	}
	size := mysqlSize(head)
	switch {
	case head[3] != 0 || size < 8 || size > 512:
		return no
	case head[4] == 0xff:
		return yesIf(ports.has(3306))
	case head[4] != 10:
		return no
	}
	version := head[headLen:min(len(head), headLen+maxVersion)]
	end := bytes.IndexByte(version, 0)
	switch {
	case end > 0:
		return yesIf(isPlain(version[:end]) && version[0] >= '0' && version[0] <= '9')
	case end < 0 && len(version) < maxVersion && isPlain(version):
		return maybe
	}
	return no
}

func mysqlSize(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func (m *mysqlStream) feed(dir int, head []byte, final bool, sink Sink) int {
	switch {
	case m.stopped:
		return 0
	case len(head) < mysqlHeadLen:
		return mysqlHeadLen
	case dir == FromServer:
		m.tunnel.from[dir] = mysqlHeadLen + mysqlSize(head)
	case !m.tls:
		if v := mysqlWantsTLS(head); v != yes {
			m.stopped = v == no
			return len(head) + 1
		}
		m.tls, m.tunnel.from[dir] = true, mysqlRequest
	}
	if !m.tls {
		return len(head) + 1
	}
	return m.tunnel.feed(dir, head, final, sink)
}

// mysqlWantsTLS reads the first packet of a client: the first half of a login, of fixed length, with the flag for TLS.
func mysqlWantsTLS(b []byte) verdict {
	const clientSSL = 0x800
	switch {
	case mysqlHeadLen+mysqlSize(b) != mysqlRequest || b[3] != 1:
		return no
	case len(b) < mysqlRequest:
		return maybe
	}
	return yesIf(binary.LittleEndian.Uint32(b[mysqlHeadLen:])&clientSSL != 0)
}
