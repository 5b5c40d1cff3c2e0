// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "dtls",
	Signs: "record and handshake headers",
	Reads: "hellos and certificate: SNI, JA3, JA4",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 20, First: "\x14\x18", Looks: LooksDTLS, New: NewDTLS},
	},
})

// Record and handshake headers are those of RFC 6347 sections 4.1 and 4.2.2. RFC 9147 keeps them for what is sent in
// clear.
const (
	// dtlsMaxDatagrams is the number of datagrams without the needed messages after which a session is no longer read.
	dtlsMaxDatagrams = 64
	// dtlsBadVersion is what OpenSSL before 0.9.8f and clients of Cisco AnyConnect send for DTLS 1.0.
	dtlsBadVersion = 0x0100
)

// DTLS reads the datagrams of a DTLS session: the client's first hello, the server's hello and, before DTLS 1.3, the
// server's own certificate. Records of any epoch but 0 are encrypted and skipped.
type DTLS struct {
	slots     [2]dtlsSlot
	done      [2]bool
	datagrams int
}

// NewDTLS returns a dissector of DTLS.
func NewDTLS() dissect.Datagrams { return new(DTLS) }

// dtlsSlot reassembles one handshake message of a direction.
type dtlsSlot struct {
	typ    byte
	seq    int
	total  int
	pieces Pieces
}

// LooksDTLS reports whether data begins with a DTLS record.
func LooksDTLS(data []byte, _ dissect.Ports) bool {
	rec, _, ok := dtlsNextRecord(data)
	if !ok || len(rec.body) == 0 {
		return false
	}
	if rec.epoch != 0 {
		return rec.typ <= recordApplicationData
	}
	switch rec.typ {
	case recordChangeCipherSpec:
		return len(rec.body) == 1 || len(rec.body) == 3 // three bytes with dtlsBadVersion
	case recordAlert:
		return len(rec.body) == 2 && (rec.body[0] == 1 || rec.body[0] == 2)
	case RecordHandshake:
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

// dtlsNextRecord splits the first record off data.
func dtlsNextRecord(data []byte) (rec dtlsRecord, rest []byte, ok bool) {
	r := parse.Reader{B: data}
	rec = dtlsRecord{typ: byte(r.U8()), version: uint16(r.U16()), epoch: r.U16()}
	r.Bytes(6) // sequence number
	rec.body = r.Vec16()
	switch rec.version {
	case 0xfeff, 0xfefd, 0xfefc, dtlsBadVersion:
		ok = !r.Bad && rec.typ >= recordChangeCipherSpec && rec.typ <= recordHeartbeat
	}
	return rec, r.B, ok
}

// dtlsFragment is a fragment of a handshake message.
type dtlsFragment struct {
	typ             byte
	total, seq, off int
	body            []byte
}

// dtlsNextFragment splits the first fragment off the body of a record.
func dtlsNextFragment(b []byte) (m dtlsFragment, rest []byte, ok bool) {
	r := parse.Reader{B: b}
	m = dtlsFragment{typ: byte(r.U8()), total: r.U24(), seq: r.U16(), off: r.U24()}
	m.body = r.Vec24()
	return m, r.B, !r.Bad
}

// Datagram reads one datagram of direction dir. It returns false if the session needs no more of them.
func (c *DTLS) Datagram(dir int, data []byte, sink dissect.Sink) (more bool) {
	dir &= 1
	c.datagrams++
	for len(data) > 0 {
		rec, rest, ok := dtlsNextRecord(data)
		if !ok {
			break
		}
		data = rest
		if rec.typ == RecordHandshake && rec.epoch == 0 {
			c.fragments(dir, &rec, sink)
		}
	}
	if c.datagrams >= dtlsMaxDatagrams || c.done[dissect.FromClient] && c.done[dissect.FromServer] {
		*c = DTLS{done: [2]bool{true, true}, datagrams: c.datagrams}
		return false
	}
	return true
}

// fragments reads the fragments of one record.
func (c *DTLS) fragments(dir int, rec *dtlsRecord, sink dissect.Sink) {
	for body := rec.body; len(body) > 0 && !c.done[dir]; {
		m, rest, ok := dtlsNextFragment(body)
		if !ok {
			return
		}
		body = rest
		if m.typ != MessageClientHello && m.typ != MessageServerHello && m.typ != messageCertificate {
			c.done[dir] = c.done[dir] || m.typ == messageServerDone
			continue
		}
		if m.off == 0 && len(m.body) == m.total {
			c.message(dir, m.typ, rec.version, m.body, sink)
			continue
		}
		c.slots[dir].take(m)
		if whole := c.slots[dir].whole(); whole != nil {
			c.message(dir, m.typ, rec.version, whole, sink)
			c.slots[dir].pieces.Reset()
		}
	}
}

// take adds a fragment. A fragment of another message discards what was collected.
func (s *dtlsSlot) take(m dtlsFragment) {
	if s.typ != m.typ || s.seq != m.seq || s.total != m.total {
		*s = dtlsSlot{typ: m.typ, seq: m.seq, total: m.total}
	}
	if m.off+len(m.body) <= m.total {
		s.pieces.Add(m.off, m.body)
	}
}

// whole returns the message if it is complete.
func (s *dtlsSlot) whole() []byte {
	if p := s.pieces.Prefix(); len(p) > 0 && len(p) == s.total {
		return p
	}
	return nil
}

// message reads one complete handshake message.
func (c *DTLS) message(dir int, typ byte, version uint16, body []byte, sink dissect.Sink) {
	switch typ {
	case MessageClientHello:
		if h := ParseClientHello(body, true); h != nil {
			h.RecordVersion = version
			sink(h)
		}
		c.done[dir] = true
	case MessageServerHello:
		h := ParseServerHello(body, true)
		if h != nil {
			sink(h)
		}
		c.done[dir] = h == nil || encryptsCertificate(h.Version)
	case messageCertificate:
		emitLeaf(body, sink)
		c.done[dir] = true
	}
}
