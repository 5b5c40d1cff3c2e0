// SPDX-License-Identifier: Apache-2.0

package decrypt

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/http"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/tls"
)

// Record and message types, RFC 8446 sections 5.1 and 4, and extensions.
const (
	recordChangeCipherSpec = 20
	recordHandshake        = 22
	recordApplicationData  = 23

	messageClientHello = 1
	messageServerHello = 2
	messageFinished    = 20
	messageKeyUpdate   = 24

	extEncryptThenMAC    = 22
	extSupportedVersions = 43
)

// retryRandom marks a ServerHello that asks for another ClientHello (RFC 8446 section 4.1.3).
var retryRandom = []byte{
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x67, 0xab, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
}

// stream reads a session of TLS: the handshake as always, and behind it what the key log decrypts, up to the head of a stream.
type stream struct {
	log   *KeyLog
	hello dissect.Stream // reads the handshake in clear text
	heard [2]bool        // it needs no more of the direction

	clientRandom, serverRandom []byte
	suite                      suite
	macIsBehind                bool
	found                      *secrets // of this session; nil: not known yet, or not in the log
	useless                    bool     // nothing will be decrypted
	counted                    bool

	dirs  [2]side
	inner dissect.Stream
}

// side is one direction.
type side struct {
	next      int    // offset of the next record
	messages  []byte // handshake bytes that do not make a message yet
	keys      *keys
	finished  bool // of TLS 1.3: the application keys are in use
	encrypted bool // of TLS 1.2: what follows is encrypted
	plain     []byte
	ended     bool // the dissector of the content needs no more
}

func (k *KeyLog) open() *stream { return &stream{log: k, hello: tls.NewPlain()} }

// Feed reads one direction; see dissect.Stream.
func (s *stream) Feed(dir int, head []byte, final bool, sink dissect.Sink) (want int) {
	dir &= 1
	if !s.heard[dir] {
		want = s.hello.Feed(dir, head, final, sink)
		s.heard[dir] = want == 0
	}
	if !s.useless {
		want = max(want, s.records(dir, head, sink))
	}
	d := &s.dirs[dir]
	s.content(dir, final, sink)
	if final || s.useless {
		clear(d.plain)
		d.plain, d.ended = nil, true
	}
	if final {
		return 0
	}
	return want
}

// records decrypts the complete records. It returns how many bytes the next one needs, 0 if no more are read.
func (s *stream) records(dir int, head []byte, sink dissect.Sink) int {
	d := &s.dirs[dir]
	for !s.useless && !d.ended {
		rest := head[min(d.next, len(head)):]
		if len(rest) < tls.RecordHeaderLen {
			return s.within(d.next + tls.RecordHeaderLen)
		}
		end := tls.RecordHeaderLen + int(rest[3])<<8 + int(rest[4])
		if rest[1] != 3 || rest[0] < recordChangeCipherSpec || rest[0] > recordApplicationData {
			s.useless = true
			return 0
		}
		if len(rest) < end {
			return s.within(d.next + end)
		}
		if !s.record(dir, rest[:end]) { // the other direction must come first
			return s.within(len(head) + 1)
		}
		d.next += end
	}
	return 0
}

// within returns n, or 0 if the head of a stream never holds as much.
func (s *stream) within(n int) int {
	if n > dissect.HeadLimit {
		return 0
	}
	return n
}

// record reads a record. It returns false if its keys are not known yet.
func (s *stream) record(dir int, record []byte) bool {
	d := &s.dirs[dir]
	typ := record[0]
	if typ == recordChangeCipherSpec {
		d.encrypted = s.suite.version != version13
		return true
	}
	if typ == recordHandshake && !d.encrypted {
		s.handshake(dir, record[tls.RecordHeaderLen:])
		return true
	}
	if s.serverRandom == nil && !s.useless {
		return false
	}
	if d.keys == nil && !s.derive(dir) {
		return true
	}
	if s.suite.version == version13 && typ != recordApplicationData {
		return true // an alert in clear text
	}
	content, typ, ok := d.keys.open(record)
	if !ok {
		// Early data has other keys (RFC 8446 section 4.2.10). Behind the handshake a record that cannot be decrypted ends the rest.
		s.useless = s.suite.version == version12 || d.finished
		return true
	}
	switch typ {
	case recordHandshake:
		s.handshake(dir, content)
	case recordApplicationData:
		if d.plain == nil { // it never grows, because that would leave a copy in memory
			d.plain = make([]byte, 0, dissect.HeadLimit)
		}
		d.plain = append(d.plain, content[:min(len(content), cap(d.plain)-len(d.plain))]...)
		if !s.counted {
			s.counted = true
			s.log.decrypted.Add(1)
		}
	}
	clear(content)
	return true
}

// derive makes the keys of a direction. It returns false if there are none.
func (s *stream) derive(dir int) bool {
	d := &s.dirs[dir]
	if s.found == nil {
		s.useless = true
		return false
	}
	switch {
	case s.suite.version == version12 && s.found.master != nil:
		d.keys = keys12(s.suite, s.found.master, s.clientRandom, s.serverRandom, dir, s.macIsBehind)
	case s.suite.version == version13:
		d.keys = keys13(s.suite, s.found.handshake[dir])
		if d.keys == nil { // a log without the secrets of the handshake
			d.keys, d.finished = keys13(s.suite, s.found.application[dir]), true
		}
	}
	s.useless = d.keys == nil
	return d.keys != nil
}

// handshake reads handshake bytes, whose messages may span records.
func (s *stream) handshake(dir int, b []byte) {
	d := &s.dirs[dir]
	d.messages = append(d.messages, b...)
	for len(d.messages) >= tls.HandshakeHeaderLen {
		m := d.messages
		n := tls.HandshakeHeaderLen + int(m[1])<<16 + int(m[2])<<8 + int(m[3])
		if n > dissect.HeadLimit {
			s.useless = true
			return
		}
		if len(m) < n {
			return
		}
		s.message(dir, m[0], m[tls.HandshakeHeaderLen:n])
		d.messages = d.messages[n:]
	}
	if len(d.messages) == 0 {
		d.messages = nil
	}
}

func (s *stream) message(dir int, typ byte, body []byte) {
	d := &s.dirs[dir]
	switch {
	case typ == messageClientHello && dir == dissect.FromClient && s.clientRandom == nil && len(body) >= 34:
		s.clientRandom = bytes.Clone(body[2:34])
		s.begin()
	case typ == messageServerHello && dir == dissect.FromServer && s.serverRandom == nil && len(body) >= 34:
		if !bytes.Equal(body[2:34], retryRandom) {
			s.serverHello(body)
			s.begin()
		}
	case s.suite.version != version13:
	case typ == messageFinished && !d.finished && d.keys != nil:
		d.keys, d.finished = keys13(s.suite, s.found.application[dir]), true
		s.useless = d.keys == nil
	case typ == messageKeyUpdate && d.finished && d.keys != nil:
		next := expandLabel(s.suite.hash, s.found.application[dir], "traffic upd", s.suite.hash().Size())
		x := *s.found // other sessions may have the same entry
		x.application[dir] = next
		s.found, d.keys = &x, keys13(s.suite, next)
	}
}

// serverHello reads random, cipher suite and version.
func (s *stream) serverHello(body []byte) {
	r := parse.Reader{B: body}
	version := r.U16()
	s.serverRandom = bytes.Clone(r.Bytes(32))
	r.Vec8()
	number := r.U16()
	r.U8()
	exts := parse.Reader{B: r.Vec16()}
	for len(exts.B) > 0 && !exts.Bad {
		switch typ, data := exts.U16(), exts.Vec16(); {
		case typ == extSupportedVersions && len(data) == 2:
			version = int(data[0])<<8 | int(data[1])
		case typ == extEncryptThenMAC:
			s.macIsBehind = true
		}
	}
	known, ok := suites[uint16(number)]
	s.suite = known
	s.useless = !ok || int(known.version) != version
}

// begin looks up the secrets once both hellos were read.
func (s *stream) begin() {
	if s.clientRandom == nil || s.serverRandom == nil {
		return
	}
	s.log.seen.Add(1)
	s.found = s.log.secrets[[32]byte(s.clientRandom)]
	s.useless = s.useless || s.found == nil
}

// content passes on what was decrypted.
func (s *stream) content(dir int, final bool, sink dissect.Sink) {
	d := &s.dirs[dir]
	if d.ended || len(d.plain) == 0 && !final {
		return
	}
	if s.inner == nil {
		if dir != dissect.FromClient {
			return // the client speaks first
		}
		s.inner = recognize(d.plain, final)
		if s.inner == nil {
			return
		}
		defer s.content(dissect.FromServer, false, sink) // what came before the request was known
	}
	if s.inner.Feed(dir, d.plain, final, encrypted(sink)) == 0 {
		d.ended = true
		clear(d.plain)
		d.plain = nil
	}
}

// recognize returns the dissector of what a client sends within TLS; nil if there is none, or it is not known yet.
func recognize(head []byte, final bool) dissect.Stream {
	switch {
	case http.LooksRequest(head, final, dissect.Ports{}) == match.Yes:
		return http.New()
	case http.LooksRTSPRequest(head, final, dissect.Ports{}) == match.Yes:
		return http.NewRTSP()
	}
	return nil
}

// encrypted returns a sink for facts of what was encrypted: no password was sent in clear text. The facts are not shared yet.
func encrypted(sink dissect.Sink) dissect.Sink {
	return func(f dissect.Fact) {
		switch f := f.(type) {
		case *dissect.HTTPExchange:
			f.CleartextCredentials = false
		case *dissect.RTSPExchange:
			f.CleartextCredentials = false
		case *dissect.Login:
			f.CleartextCredentials = false
		}
		sink(f)
	}
}
