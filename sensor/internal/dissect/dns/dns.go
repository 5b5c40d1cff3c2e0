// SPDX-License-Identifier: Apache-2.0

// Package dns reads DNS, mDNS and LLMNR, and recognizes NetBIOS names.
package dns

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

var _ = Protocols.Add(protocol.Protocol{
	Name:  "dns",
	Signs: "header and records to the last byte",
	Ports: "53, 5353, 5355 for a malformed message",
	Reads: "questions, answers, codes",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 730, Looks: LooksStream, New: NewStream},
	},
	Datagrams: []protocol.Datagram{
		{Order: 660, Looks: LooksMessage}, // package dispatch opens the dissector, which is part of its Conversation
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "llmnr",
	Signs: "header of DNS",
	Ports: "5355",
	Reads: "questions, answers",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 650, Ports: []uint16{5355}, Looks: LooksMessage}, // as for DNS
	},
})

const (
	maxAnswers = 32  // records that are kept of one message
	maxRecords = 256 // records that are read of one message
)

// stream reads DNS over TCP: messages behind a 16-bit length (RFC 1035 section 4.2.2, RFC 7766).
type stream struct {
	pos   [2]int
	count int
}

// NewStream returns a dissector of DNS over TCP.
func NewStream() dissect.Stream { return new(stream) }

const maxStreamMessages = 64

// LooksStream recognizes the first message of DNS over TCP.
func LooksStream(head []byte, final bool, ports dissect.Ports) match.Verdict {
	if len(head) < 2 {
		return match.Maybe
	}
	n := int(binary.BigEndian.Uint16(head))
	switch {
	case n < headerLen || !ports.Has(53) && n > 4096:
		return match.No
	case len(head) < 2+headerLen:
		return match.Maybe
	case !headerLooks(head[2:], ports):
		return match.No
	case len(head) < 2+n:
		if final && ports.Has(53) {
			return match.Yes
		}
		return match.Maybe
	}
	if LooksMessage(head[2:2+n], ports) {
		return match.Yes
	}
	return match.No
}

func (d *stream) Feed(dir int, head []byte, _ bool, sink dissect.Sink) int {
	for d.count < maxStreamMessages {
		pos := d.pos[dir]
		if len(head) < pos+2 {
			return pos + 2
		}
		end := pos + 2 + int(binary.BigEndian.Uint16(head[pos:]))
		if len(head) < end {
			return end
		}
		m, _, ok := readMessage(head[pos+2:end], "", false)
		if !ok {
			return 0
		}
		m.TCP = true
		sink(m)
		d.pos[dir] = end
		d.count++
	}
	return 0
}

// Datagrams reads DNS, mDNS or LLMNR over UDP, for as long as the session lasts.
type Datagrams struct {
	dialect Dialect
	name    string // of the latest question, which the answer repeats
}

// Dialect is one of the protocols that use the messages of DNS over UDP.
type Dialect uint8

// The dialects.
const (
	Unicast   Dialect = iota // DNS
	Multicast                // mDNS
	LLMNR
)

// NewDatagrams returns a dissector of a dialect of DNS over UDP.
func NewDatagrams(d Dialect) Datagrams { return Datagrams{dialect: d} }

// Datagram reads one datagram. It always needs more.
func (d *Datagrams) Datagram(_ int, data []byte, sink dissect.Sink) bool {
	m, p, ok := readMessage(data, d.name, d.dialect == Multicast)
	if !ok {
		return true
	}
	m.MDNS, m.LLMNR, d.name = d.dialect == Multicast, d.dialect == LLMNR, m.QName
	sink(m)
	if m.MDNS && m.Response {
		p.announce(sink)
	}
	return true
}

const headerLen = 12

// usual reports whether a port is one of DNS, mDNS or LLMNR.
func usual(ports dissect.Ports) bool { return ports.Has(53, 5353, 5355) }

// headerLooks checks a header: an opcode in use, a zero bit that is zero in queries, and no more records than fit. On
// the ports of DNS, small counts are enough: other bytes have them once in 65,536 times.
func headerLooks(b []byte, ports dissect.Ports) bool {
	const someZoneTransfer = 1 << 12 // records of one message
	flags, total := binary.BigEndian.Uint16(b[2:]), 0
	for i := 4; i < headerLen; i += 2 {
		total += int(binary.BigEndian.Uint16(b[i:]))
	}
	if usual(ports) {
		return total <= someZoneTransfer && (total > 0 || flags != 0)
	}
	opcode := flags >> 11 & 15
	if opcode > 6 || opcode == 3 || flags&0x40 != 0 && flags&0x8000 == 0 {
		return false
	}
	return total <= maxRecords && binary.BigEndian.Uint16(b[4:]) <= 32
}

// LooksMessage reports whether b is a DNS message. On other ports than those of DNS it must be one to its last byte; on
// them a name may be malformed, or cut by the snap length.
func LooksMessage(b []byte, ports dissect.Ports) bool {
	if len(b) < headerLen || !headerLooks(b, ports) {
		return false
	}
	if usual(ports) {
		return true
	}
	p := parser{data: b, pos: headerLen, skip: true}
	questions := int(binary.BigEndian.Uint16(b[4:]))
	if questions == 0 {
		return false
	}
	for range questions {
		_, kind, class, ok := p.question()
		if !ok || kind == 0 || !isClass(class) {
			return false
		}
	}
	for n := p.left(); n > 0; n-- {
		if _, ok := p.record(); !ok {
			return false
		}
	}
	return p.pos == len(b)
}

func isClass(class uint16) bool {
	switch class &^ 0x8000 {
	case 1, 3, 4, 254, 255:
		return true
	}
	return false
}

// readMessage reads one message. known is the name that it probably asks for. If a record is cut or malformed, the
// records before it count. all includes the authority and additional sections. ok is false if not even the questions
// can be read.
func readMessage(b []byte, known string, all bool) (*dissect.DNSMessage, *serviceRecords, bool) {
	if len(b) < headerLen {
		return nil, nil, false
	}
	flags := binary.BigEndian.Uint16(b[2:])
	m := &dissect.DNSMessage{ID: binary.BigEndian.Uint16(b), Response: flags&0x8000 != 0}
	if m.Response {
		m.RCode = responseCode(flags & 15)
	}
	p := parser{data: b, pos: headerLen, last: known}
	for i := range int(binary.BigEndian.Uint16(b[4:])) {
		name, kind, _, ok := p.question()
		if !ok {
			return nil, nil, false
		}
		if i == 0 {
			m.QName, m.QType = name, dnsType(kind)
		}
	}
	limit := int(binary.BigEndian.Uint16(b[6:]))
	if all {
		limit = p.left()
	}
	var records *serviceRecords
	if all {
		records = &serviceRecords{}
	}
	for n := min(limit, maxRecords); n > 0; n-- {
		r, ok := p.record()
		if !ok {
			break
		}
		if all {
			records.add(r)
		}
		if len(m.Answers) == maxAnswers {
			continue
		}
		if a, ok := r.answer(&p); ok {
			if m.Answers == nil {
				// A record has at least 11 bytes, so a header cannot ask for more memory than its message has.
				m.Answers = make([]dissect.DNSAnswer, 0, min(n, maxAnswers, (len(b)-r.nameAt)/11))
			}
			m.Answers = append(m.Answers, a)
		}
	}
	return m, records, true
}

// record is one resource record. Its data is a slice of the message.
type record struct {
	name       string
	kind       uint16
	class      uint16
	ttl        uint32
	nameAt     int // offset of the name
	start, end int // of the data
	msg        []byte
}

// answer returns the record as an answer. p has seen the names so far. ok is false for EDNS. Types whose data is not
// text have no data.
func (r *record) answer(p *parser) (a dissect.DNSAnswer, ok bool) {
	const opt = 41
	if r.kind == opt {
		return a, false
	}
	a = dissect.DNSAnswer{Name: r.name, Type: dnsType(r.kind), TTL: r.ttl}
	data := r.msg[r.start:r.end]
	at := parser{data: r.msg, pos: r.start, first: p.first, last: p.last}
	switch r.kind {
	case 1:
		if addr, ok := netip.AddrFromSlice(data); ok && len(data) == 4 {
			a.Addr, a.Data = addr, addr.String()
		}
	case 28:
		if addr, ok := netip.AddrFromSlice(data); ok && len(data) == 16 {
			a.Addr, a.Data = addr, addr.String()
		}
	case 2, 5, 12, 39:
		a.Data, _ = at.name()
		p.last = at.last
	case 15:
		a.Data = at.numbersAndName(1)
	case 33:
		a.Data = at.numbersAndName(3)
	case 16:
		a.Data = text(data)
	}
	return a, true
}

// numbersAndName returns n 16-bit numbers and a name, as in MX and SRV.
func (p *parser) numbersAndName(n int) string {
	var s []byte
	for ; n > 0; n-- {
		if p.pos+2 > len(p.data) {
			return ""
		}
		s = strconv.AppendUint(s, uint64(binary.BigEndian.Uint16(p.data[p.pos:])), 10)
		s = append(s, ' ')
		p.pos += 2
	}
	name, ok := p.name()
	if !ok {
		return ""
	}
	return string(s) + name
}

// text joins the strings of a TXT record.
func text(data []byte) string {
	var s []byte
	for len(data) > 0 {
		n := min(int(data[0]), len(data)-1)
		if len(s) > 0 {
			s = append(s, ' ')
		}
		s = append(s, data[1:1+n]...)
		data = data[1+n:]
	}
	return parse.CleanText(s, 512)
}
