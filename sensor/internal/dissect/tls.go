// SPDX-License-Identifier: Apache-2.0

package dissect

// Record types, RFC 8446 section 5.1.
const (
	tlsChangeCipherSpec = 20
	tlsAlert            = 21
	tlsHandshake        = 22
	tlsApplicationData  = 23
	tlsHeartbeat        = 24
)

// tlsRecordHead is the length of a record header; tlsMaxRecord is what a record may hold: 2^14 and 2048 for expansion
// (RFC 5246 section 6.2.3); tlsMaxMessage bounds the handshake message that is put together from several records.
const (
	tlsRecordHead = 5
	tlsMaxRecord  = 1<<14 + 2048
	tlsMaxMessage = 1 << 16
)

// tlsStream reads both directions of a TLS or SSL stream from its first record: the client's hello, the server's hello
// and, before TLS 1.3, the server's own certificate. It begins at the start of the slices that it is given, so
// TLS behind a proxy request or STARTTLS is read from the offset at which it starts.
type tlsStream struct {
	dirs [2]tlsHalf
}

// tlsHalf is the state of one direction.
type tlsHalf struct {
	next    int    // offset of the first record that was not read yet
	partial []byte // handshake bytes of earlier records that do not make a message yet
	done    bool
}

// tlsLooks reports whether head is the start of a TLS or SSL stream, seen from either side. Three bytes are the least; more
// bytes are checked if they are there.
func tlsLooks(head []byte) bool {
	if len(head) < 3 {
		return false
	}
	if head[0] < tlsChangeCipherSpec || head[0] > tlsHeartbeat || head[1] != 3 || head[2] > 4 {
		return tlsLooksSSL2(head)
	}
	if len(head) < tlsRecordHead {
		return true
	}
	n, body := int(head[3])<<8|int(head[4]), head[tlsRecordHead:]
	if n == 0 && head[0] != tlsApplicationData || n > tlsMaxRecord {
		return false
	}
	switch head[0] {
	case tlsChangeCipherSpec:
		return n == 1 && (len(body) == 0 || body[0] == 1)
	case tlsAlert:
		return n == 2 && (len(body) == 0 || body[0] == 1 || body[0] == 2) || n >= 18 && n <= 256
	case tlsHandshake:
		// A message of a known type, shorter than 64 KiB.
		return len(body) < tlsHandshakeHead || body[0] <= 24 && body[1] == 0
	}
	return true
}

// feed reads on in one direction. head is the whole stream of that direction so far, from its first record. It gives the
// number of bytes, counted from the start of the stream, with which it wants to be called again, 0 if it wants no
// more. final says that no more will come.
func (t *tlsStream) feed(dir int, head []byte, final bool, sink Sink) (want int) {
	dir &= 1
	d := &t.dirs[dir]
	switch {
	case d.next > 0 || len(head) == 0 || head[0]&0x80 == 0:
		want = t.records(dir, head, sink)
	case len(head) < ssl2Enough:
		want = ssl2Enough
	case tlsLooksSSL2(head):
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

// records reads the records that are there as a whole. It gives how many bytes of the stream the next one needs.
func (t *tlsStream) records(dir int, head []byte, sink Sink) (want int) {
	d := &t.dirs[dir]
	for !d.done {
		rest := head[min(d.next, len(head)):]
		if len(rest) < tlsRecordHead {
			return d.next + tlsRecordHead
		}
		n := int(rest[3])<<8 | int(rest[4])
		if rest[1] != 3 || n > tlsMaxRecord {
			d.done = true
			break
		}
		end := tlsRecordHead + n
		if len(rest) < end {
			return d.next + end
		}
		d.next += end
		t.record(dir, rest[:end], sink)
	}
	return 0
}

// record takes one whole record, header and all.
func (t *tlsStream) record(dir int, record []byte, sink Sink) {
	d := &t.dirs[dir]
	version, body := uint16(record[1])<<8|uint16(record[2]), record[tlsRecordHead:]
	switch record[0] {
	case tlsHandshake:
		t.handshake(dir, version, body, sink)
	case tlsAlert:
		const fatal = 2
		d.done = len(body) != 2 || body[0] == fatal
	default:
		d.done = true
	}
}

// handshake takes the handshake bytes of one record. Messages may share a record and may span records.
func (t *tlsStream) handshake(dir int, version uint16, body []byte, sink Sink) {
	d := &t.dirs[dir]
	if len(d.partial) > 0 {
		d.partial = append(d.partial, body...)
		body = d.partial
	}
	for !d.done && len(body) >= tlsHandshakeHead {
		n := int(body[1])<<16 | int(body[2])<<8 | int(body[3])
		if n > tlsMaxMessage {
			d.done = true
			return
		}
		if len(body) < tlsHandshakeHead+n {
			break
		}
		t.message(dir, body[0], version, body[tlsHandshakeHead:tlsHandshakeHead+n], sink)
		body = body[tlsHandshakeHead+n:]
	}
	if len(body) != len(d.partial) {
		d.partial = append([]byte(nil), body...)
	}
}

// message takes one whole handshake message.
func (t *tlsStream) message(dir int, typ byte, version uint16, body []byte, sink Sink) {
	d := &t.dirs[dir]
	switch typ {
	case tlsClientHello:
		if h := tlsParseClientHello(body, false); h != nil {
			h.RecordVersion = version
			sink(h)
		}
		d.done = true
	case tlsServerHello:
		h := tlsParseServerHello(body, false)
		if h != nil {
			sink(h)
		}
		d.done = h == nil || tlsEncryptsCertificate(h.Version)
	case tlsCertificate:
		tlsEmitLeaf(body, sink)
		d.done = true
	case tlsServerDone:
		d.done = true
	}
}

// last takes what there is of the record in which the stream ends. A chain of certificates is often longer than what is
// kept of a stream, but the leaf comes first.
func (t *tlsStream) last(dir int, rest []byte, sink Sink) {
	d := &t.dirs[dir]
	if len(rest) > tlsRecordHead && rest[0] == tlsHandshake {
		t.record(dir, rest, sink)
	}
	if b := d.partial; !d.done && len(b) > tlsHandshakeHead && b[0] == tlsCertificate {
		tlsEmitLeaf(b[tlsHandshakeHead:], sink)
	}
}
