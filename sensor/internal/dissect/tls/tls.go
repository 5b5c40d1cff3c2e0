// SPDX-License-Identifier: Apache-2.0

// Package tls reads the handshakes of TLS, SSL 2.0 and DTLS as far as they are in clear text, also in sessions that began
// with another protocol.
package tls

import (
	"sync/atomic"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

var _ = Protocols.Add(protocol.Protocol{
	Name:  "tls",
	Signs: "record and handshake headers, also of SSL 2.0",
	Reads: "hellos and certificate: SNI, ALPN, JA3, JA4",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 10, Looks: Looks, New: New},
	},
})

// Record types, RFC 8446 section 5.1.
const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	RecordHandshake        = 22
	recordApplicationData  = 23
	recordHeartbeat        = 24
)

// RecordHeaderLen is the length of a record header. maxRecord is the largest record: 2^14 bytes and 2048 for expansion
// (RFC 5246 section 6.2.3). maxMessage bounds a handshake message that is reassembled from several records.
const (
	RecordHeaderLen = 5
	maxRecord       = 1<<14 + 2048
	maxMessage      = 1 << 16
)

// Stream reads both directions of a TLS or SSL stream from its first record: the client's hello, the server's hello
// and, before TLS 1.3, the server's own certificate. TLS behind a proxy request or STARTTLS is read from the offset at
// which it starts; see Upgrade.
type Stream struct {
	dirs [2]half
}

// opener makes the dissectors of New, see SetOpener; nil: NewPlain does.
var opener atomic.Pointer[func() dissect.Stream]

// SetOpener replaces the dissectors that New returns, by ones that also decrypt.
func SetOpener(open func() dissect.Stream) { opener.Store(&open) }

// Decrypts reports whether SetOpener was called.
func Decrypts() bool { return opener.Load() != nil }

// New returns a dissector of TLS over a stream.
func New() dissect.Stream {
	if open := opener.Load(); open != nil {
		return (*open)()
	}
	return NewPlain()
}

// NewPlain returns a dissector of what TLS sends in clear text.
func NewPlain() dissect.Stream { return new(Stream) }

// half is the state of one direction.
type half struct {
	next    int    // offset of the next record to read
	partial []byte // handshake bytes of earlier records that do not make a message yet
	done    bool
}

// IsStart reports whether head is the start of a TLS or SSL stream, from either side. It needs three bytes, and checks
// more if there are more.
func IsStart(head []byte) bool {
	if len(head) < 3 {
		return false
	}
	if head[0] < recordChangeCipherSpec || head[0] > recordHeartbeat || head[1] != 3 || head[2] > 4 {
		return looksSSL2(head)
	}
	if len(head) < RecordHeaderLen {
		return true
	}
	n, body := int(head[3])<<8|int(head[4]), head[RecordHeaderLen:]
	if n == 0 && head[0] != recordApplicationData || n > maxRecord {
		return false
	}
	switch head[0] {
	case recordChangeCipherSpec:
		return n == 1 && (len(body) == 0 || body[0] == 1)
	case recordAlert:
		return n == 2 && (len(body) == 0 || body[0] == 1 || body[0] == 2) || n >= 18 && n <= 256
	case RecordHandshake:
		// A message of a known type, shorter than 64 KiB.
		return len(body) < HandshakeHeaderLen || body[0] <= 24 && body[1] == 0
	}
	return true
}

// Feed reads one direction. head is the whole stream of that direction so far, from its first record. Feed returns the
// number of bytes, counted from the start of the stream, that it needs before the next call, or 0 if it needs no more.
// final means that no more will come.
func (t *Stream) Feed(dir int, head []byte, final bool, sink dissect.Sink) (want int) {
	dir &= 1
	d := &t.dirs[dir]
	switch {
	case d.next > 0 || len(head) == 0 || head[0]&0x80 == 0:
		want = t.records(dir, head, sink)
	case len(head) < ssl2Enough:
		want = ssl2Enough
	case looksSSL2(head):
		want = t.feedSSL2(dir, head, sink)
	default:
		d.done = true
	}
	if final && !d.done {
		t.last(dir, head[min(d.next, len(head)):], sink)
	}
	if d.done || final {
		d.done, d.partial = true, nil
		return 0
	}
	return want
}

// records reads the complete records. It returns how many bytes of the stream the next one needs.
func (t *Stream) records(dir int, head []byte, sink dissect.Sink) (want int) {
	d := &t.dirs[dir]
	for !d.done {
		rest := head[min(d.next, len(head)):]
		if len(rest) < RecordHeaderLen {
			return d.next + RecordHeaderLen
		}
		n := int(rest[3])<<8 | int(rest[4])
		if rest[1] != 3 || n > maxRecord {
			d.done = true
			break
		}
		end := RecordHeaderLen + n
		if len(rest) < end {
			return d.next + end
		}
		d.next += end
		t.record(dir, rest[:end], sink)
	}
	return 0
}

// record reads one complete record with its header.
func (t *Stream) record(dir int, record []byte, sink dissect.Sink) {
	d := &t.dirs[dir]
	version, body := uint16(record[1])<<8|uint16(record[2]), record[RecordHeaderLen:]
	switch record[0] {
	case RecordHandshake:
		t.handshake(dir, version, body, sink)
	case recordAlert:
		const fatal = 2
		d.done = len(body) != 2 || body[0] == fatal
	default:
		d.done = true
	}
}

// handshake reads the handshake bytes of one record. Messages may share a record and may span records.
func (t *Stream) handshake(dir int, version uint16, body []byte, sink dissect.Sink) {
	d := &t.dirs[dir]
	if len(d.partial) > 0 {
		d.partial = append(d.partial, body...)
		body = d.partial
	}
	for !d.done && len(body) >= HandshakeHeaderLen {
		n := int(body[1])<<16 | int(body[2])<<8 | int(body[3])
		if n > maxMessage {
			d.done = true
			return
		}
		if len(body) < HandshakeHeaderLen+n {
			break
		}
		t.message(dir, body[0], version, body[HandshakeHeaderLen:HandshakeHeaderLen+n], sink)
		body = body[HandshakeHeaderLen+n:]
	}
	if len(body) != len(d.partial) {
		d.partial = append([]byte(nil), body...)
	}
}

// message reads one complete handshake message.
func (t *Stream) message(dir int, typ byte, version uint16, body []byte, sink dissect.Sink) {
	d := &t.dirs[dir]
	switch typ {
	case MessageClientHello:
		if h := ParseClientHello(body, false); h != nil {
			h.RecordVersion = version
			sink(h)
		}
		d.done = true
	case MessageServerHello:
		h := ParseServerHello(body, false)
		if h != nil {
			sink(h)
		}
		d.done = h == nil || encryptsCertificate(h.Version)
	case messageCertificate:
		emitLeaf(body, sink)
		d.done = true
	case messageServerDone:
		d.done = true
	}
}

// last reads what there is of the record in which the stream ends. A chain of certificates is often longer than the
// head of a stream, but the leaf comes first.
func (t *Stream) last(dir int, rest []byte, sink dissect.Sink) {
	d := &t.dirs[dir]
	if len(rest) > RecordHeaderLen && rest[0] == RecordHandshake {
		t.record(dir, rest, sink)
	}
	if b := d.partial; !d.done && len(b) > HandshakeHeaderLen && b[0] == messageCertificate {
		emitLeaf(b[HandshakeHeaderLen:], sink)
	}
}

// Looks needs a record header and the head of a handshake message, or enough of an SSL 2.0 hello for IsStart to be
// sure.
func Looks(head []byte, final bool, _ dissect.Ports) match.Verdict {
	sure := 9
	if head[0]&0x80 != 0 {
		sure = 13
	}
	switch {
	case head[0] == 255: // IAC of Telnet
		return match.No // no SSL 2.0 hello is that long, and "IAC WILL ECHO" would look like the beginning of one
	case len(head) >= sure:
		if IsStart(head) {
			return match.Yes
		}
		return match.No
	case sure == 13:
		if len(head) < 3 || head[2] == ssl2ClientHello || head[2] == ssl2ServerHello {
			return match.Maybe
		}
		return match.No
	case head[0] < recordChangeCipherSpec || head[0] > recordHeartbeat || len(head) >= 3 && !IsStart(head):
		return match.No
	case final && len(head) >= RecordHeaderLen:
		return match.Yes
	}
	return match.Maybe
}
