// SPDX-License-Identifier: Apache-2.0

package dissect

// The dissectors of this file's protocols, for tests outside of the package.
type (
	TLSStream = tlsStream
	SSHStream = sshStream
	QUICConn  = quicConn
	DTLSConn  = dtlsConn
)

var (
	TLSLooks  = tlsLooks
	SSHLooks  = sshLooks
	QUICLooks = quicLooks
	DTLSLooks = dtlsLooks
)

func (t *tlsStream) Feed(dir int, head []byte, final bool, sink Sink) int {
	return t.feed(dir, head, final, sink)
}

func (s *sshStream) Feed(dir int, head []byte, final bool, sink Sink) int {
	return s.feed(dir, head, final, sink)
}

func (q *quicConn) Datagram(dir int, data []byte, sink Sink) bool { return q.datagram(dir, data, sink) }
func (c *dtlsConn) Datagram(dir int, data []byte, sink Sink) bool { return c.datagram(dir, data, sink) }
