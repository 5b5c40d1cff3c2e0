// SPDX-License-Identifier: Apache-2.0

package dissect

// Record and handshake headers are those of RFC 6347 sections 4.1 and 4.2.2; RFC 9147 keeps them for what is sent in clear.
const (
	// dtlsMaxDatagrams is after how many datagrams a session without the looked-for messages is left alone.
	dtlsMaxDatagrams = 64
	// dtlsBadVersion is what OpenSSL before 0.9.8f, and clients of Cisco AnyConnect, send for DTLS 1.0.
	dtlsBadVersion = 0x0100
)

// dtlsConn reads the datagrams of a DTLS session: the client's first hello, the server's hello and, before DTLS 1.3, the
// server's own certificate. Records of any epoch but 0 are encrypted and passed over.
type dtlsConn struct {
	slots     [2]dtlsSlot
	done      [2]bool
	datagrams int
}

// dtlsSlot puts one handshake message of a direction together.
type dtlsSlot struct {
	typ    byte
	seq    int
	total  int
	pieces tlsPieces
}

// dtlsLooks reports whether data begins with a DTLS record.
func dtlsLooks(data []byte) bool {
	rec, _, ok := dtlsNextRecord(data)
	if !ok || len(rec.body) == 0 {
		return false
	}
	if rec.epoch != 0 {
		return rec.typ <= tlsApplicationData
	}
	switch rec.typ {
	case tlsChangeCipherSpec:
		return len(rec.body) == 1 || len(rec.body) == 3 // three bytes with dtlsBadVersion
	case tlsAlert:
		return len(rec.body) == 2 && (rec.body[0] == 1 || rec.body[0] == 2)
	case tlsHandshake:
		m, _, ok := dtlsNextFragment(rec.body)
		return ok && m.typ <= 24 && m.off+len(m.body) <= m.total
	}
	return false
}

// dtlsRecord is a record of DTLS.
type dtlsRecord struct {
	typ     byte
	version uint16
	epoch   int
	body    []byte
}

// dtlsNextRecord takes the first record off data.
func dtlsNextRecord(data []byte) (rec dtlsRecord, rest []byte, ok bool) {
	r := tlsReader{b: data}
	rec = dtlsRecord{typ: byte(r.u8()), version: uint16(r.u16()), epoch: r.u16()}
	r.bytes(6) // sequence number
	rec.body = r.vec16()
	switch rec.version {
	case 0xfeff, 0xfefd, 0xfefc, dtlsBadVersion:
		ok = !r.bad && rec.typ >= tlsChangeCipherSpec && rec.typ <= tlsHeartbeat
	}
	return rec, r.b, ok
}

// dtlsFragment is a piece of a handshake message.
type dtlsFragment struct {
	typ             byte
	total, seq, off int
	body            []byte
}

// dtlsNextFragment takes the first fragment off the body of a record.
func dtlsNextFragment(b []byte) (m dtlsFragment, rest []byte, ok bool) {
	r := tlsReader{b: b}
	m = dtlsFragment{typ: byte(r.u8()), total: r.u24(), seq: r.u16(), off: r.u24()}
	m.body = r.vec24()
	return m, r.b, !r.bad
}

// datagram reads one datagram of direction dir. It returns false if the session needs no more of them.
func (c *dtlsConn) datagram(dir int, data []byte, sink Sink) (more bool) {
	dir &= 1
	c.datagrams++
	for len(data) > 0 {
		rec, rest, ok := dtlsNextRecord(data)
		if !ok {
			break
		}
		data = rest
		if rec.typ == tlsHandshake && rec.epoch == 0 {
			c.fragments(dir, &rec, sink)
		}
	}
	if c.datagrams >= dtlsMaxDatagrams || c.done[FromClient] && c.done[FromServer] {
		*c = dtlsConn{done: [2]bool{true, true}, datagrams: c.datagrams}
		return false
	}
	return true
}

// fragments takes the fragments of one record.
func (c *dtlsConn) fragments(dir int, rec *dtlsRecord, sink Sink) {
	for body := rec.body; len(body) > 0 && !c.done[dir]; {
		m, rest, ok := dtlsNextFragment(body)
		if !ok {
			return
		}
		body = rest
		if m.typ != tlsClientHello && m.typ != tlsServerHello && m.typ != tlsCertificate {
			c.done[dir] = c.done[dir] || m.typ == tlsServerDone
			continue
		}
		if m.off == 0 && len(m.body) == m.total {
			c.message(dir, m.typ, rec.version, m.body, sink)
			continue
		}
		c.slots[dir].take(m)
		if whole := c.slots[dir].whole(); whole != nil {
			c.message(dir, m.typ, rec.version, whole, sink)
			c.slots[dir].pieces.reset()
		}
	}
}

// take adds a fragment; one of another message puts an end to the message that was begun.
func (s *dtlsSlot) take(m dtlsFragment) {
	if s.typ != m.typ || s.seq != m.seq || s.total != m.total {
		*s = dtlsSlot{typ: m.typ, seq: m.seq, total: m.total}
	}
	if m.off+len(m.body) <= m.total {
		s.pieces.add(m.off, m.body)
	}
}

// whole gives the message if all of it is there.
func (s *dtlsSlot) whole() []byte {
	if p := s.pieces.prefix(); len(p) > 0 && len(p) == s.total {
		return p
	}
	return nil
}

// message takes one whole handshake message.
func (c *dtlsConn) message(dir int, typ byte, version uint16, body []byte, sink Sink) {
	switch typ {
	case tlsClientHello:
		if h := tlsParseClientHello(body, true); h != nil {
			h.RecordVersion = version
			sink(h)
		}
		c.done[dir] = true
	case tlsServerHello:
		h := tlsParseServerHello(body, true)
		if h != nil {
			sink(h)
		}
		c.done[dir] = h == nil || tlsEncryptsCertificate(h.Version)
	case tlsCertificate:
		tlsEmitLeaf(body, sink)
		c.done[dir] = true
	}
}
