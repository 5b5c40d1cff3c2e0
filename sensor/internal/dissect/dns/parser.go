// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"encoding/binary"
	"strconv"

	"stillwatch/sensor/internal/dissect/parse"
)

// parser reads a message (RFC 1035 section 4.1).
type parser struct {
	data []byte
	pos  int
	skip bool // names are skipped and not returned
	// The name of the question and the latest other name: most records are about one of the two.
	first, last string
}

// left returns the number of records after the questions.
func (p *parser) left() int {
	n := 0
	for i := 6; i < headerLen; i += 2 {
		n += int(binary.BigEndian.Uint16(p.data[i:]))
	}
	return min(n, maxRecords)
}

func (p *parser) question() (name string, kind, class uint16, ok bool) {
	name, ok = p.name()
	if !ok || p.pos+4 > len(p.data) {
		return "", 0, 0, false
	}
	kind, class = binary.BigEndian.Uint16(p.data[p.pos:]), binary.BigEndian.Uint16(p.data[p.pos+2:])
	p.pos += 4
	return name, kind, class, true
}

func (p *parser) record() (r record, ok bool) {
	nameAt := p.pos
	name, ok := p.name()
	if !ok || p.pos+10 > len(p.data) {
		return r, false
	}
	b := p.data[p.pos:]
	r = record{name: name, nameAt: nameAt, msg: p.data, kind: binary.BigEndian.Uint16(b), class: binary.BigEndian.Uint16(b[2:]), ttl: binary.BigEndian.Uint32(b[4:])}
	r.start = p.pos + 10
	r.end = r.start + int(binary.BigEndian.Uint16(b[8:]))
	if r.end > len(p.data) {
		return r, false
	}
	p.pos = r.end
	return r, true
}

// name reads a name in lower case, without the final dot. Bytes that are not text are escaped as \DDD (RFC 4343 section
// 2.1). A compression pointer (section 4.1.4) must point backwards from its own position, and the result has at most
// 255 bytes on the wire: so a loop is impossible.
func (p *parser) name() (string, bool) {
	var buf [256]byte
	out := buf[:0]
	at, low, wire := p.pos, p.pos, 0
	jumped := false
	for {
		if at >= len(p.data) {
			return "", false
		}
		n := int(p.data[at])
		switch {
		case n == 0:
			if !jumped {
				p.pos = at + 1
			}
			return p.text(out), true
		case n >= 0xc0:
			if at+2 > len(p.data) {
				return "", false
			}
			to := int(binary.BigEndian.Uint16(p.data[at:]) & 0x3fff)
			if !jumped {
				p.pos, jumped = at+2, true
			}
			if to >= low {
				return "", false
			}
			at, low = to, to
		case n > 63:
			return "", false
		default:
			if wire += n + 1; wire > 255 || at+1+n > len(p.data) {
				return "", false
			}
			if !p.skip {
				out = appendLabel(out, p.data[at+1:at+1+n])
			}
			at += n + 1
		}
	}
}

// text returns a name as a string, the same string if the message repeats the name.
func (p *parser) text(name []byte) string {
	switch {
	case string(name) == p.first:
		return p.first
	case string(name) != p.last:
		p.last = string(name)
	}
	if p.first == "" {
		p.first = p.last
	}
	return p.last
}

func appendLabel(out, label []byte) []byte {
	if len(out) > 0 {
		out = append(out, '.')
	}
	for _, c := range label {
		if low := plainBytes[c]; low != 0 {
			out = append(out, low)
		} else if c == '.' || c == '\\' {
			out = append(out, '\\', c)
		} else {
			out = append(out, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		}
	}
	return out
}

// plainBytes has the lower case of the bytes that stand for themselves in a name, and 0 for the others.
var plainBytes = func() (low [256]byte) {
	for c := byte(' '); c <= '~'; c++ {
		if c != '.' && c != '\\' {
			low[c] = parse.Lower(c)
		}
	}
	return low
}()

var responseCodes = [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"}

func responseCode(code uint16) string {
	if int(code) < len(responseCodes) {
		return responseCodes[code]
	}
	return "RCODE" + strconv.Itoa(int(code))
}

// dnsType returns the mnemonic of a record type, or TYPEn (RFC 3597 section 5).
func dnsType(kind uint16) string {
	switch kind {
	case 1:
		return "A"
	case 2:
		return "NS"
	case 5:
		return "CNAME"
	case 6:
		return "SOA"
	case 10:
		return "NULL"
	case 12:
		return "PTR"
	case 13:
		return "HINFO"
	case 15:
		return "MX"
	case 16:
		return "TXT"
	case 28:
		return "AAAA"
	case 33:
		return "SRV"
	case 35:
		return "NAPTR"
	case 39:
		return "DNAME"
	case 43:
		return "DS"
	case 46:
		return "RRSIG"
	case 47:
		return "NSEC"
	case 48:
		return "DNSKEY"
	case 50:
		return "NSEC3"
	case 52:
		return "TLSA"
	case 64:
		return "SVCB"
	case 65:
		return "HTTPS"
	case 252:
		return "AXFR"
	case 255:
		return "ANY"
	case 257:
		return "CAA"
	}
	return "TYPE" + strconv.Itoa(int(kind))
}

// NameAt reads the name in DNS format at an offset of data.
func NameAt(data []byte, at int) (name string, ok bool) {
	p := parser{data: data, pos: at}
	return p.name()
}
