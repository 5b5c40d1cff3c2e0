// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"bytes"
	"encoding/binary"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "mdns",
	Signs: "header of DNS",
	Ports: "5353",
	Reads: "questions, answers, announced services",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 640, Ports: []uint16{5353}, Looks: LooksMessage}, // as for DNS
	},
})

const (
	maxServices = 32
	maxTXTKeys  = 32
)

// serviceRecords collects what the records of one mDNS response say about services (RFC 6763): PTR names an instance of
// a service, SRV its host and port, TXT describes it.
type serviceRecords struct{ services []dissect.ServiceAnnouncement }

func (d *serviceRecords) add(r record) {
	at := parser{data: r.msg, pos: r.start}
	switch r.kind {
	case 12:
		if target, ok := at.instance(); ok && at.pos == r.end {
			d.service(target)
		}
	case 16:
		own := parser{data: r.msg, pos: r.nameAt}
		if name, ok := own.instance(); ok {
			d.text(name, r.msg[r.start:r.end])
		}
	case 33:
		own := parser{data: r.msg, pos: r.nameAt}
		if name, ok := own.instance(); ok && r.end-r.start > 6 {
			d.where(name, &at)
		}
	}
}

// serviceName is an instance and its service type.
type serviceName struct{ instance, service string }

// instance reads the name of a service instance: one label of any text, then the service, as in "Front
// door._axis-video._tcp.local". ok is false for other names.
func (p *parser) instance() (n serviceName, ok bool) {
	first, ok := p.label()
	if !ok || first[0] == '_' {
		return n, false
	}
	full, ok := p.name()
	if !ok {
		return n, false
	}
	// The instance may contain dots and underscores itself, so the service begins after its escaped form.
	rest := full[len(appendLabel(nil, first)):]
	if !strings.HasPrefix(rest, "._") {
		return n, false
	}
	end := max(strings.Index(rest, "._tcp"), strings.Index(rest, "._udp"))
	if end < 1 {
		return n, false
	}
	return serviceName{instance: parse.CleanText(first, 63), service: rest[1 : end+len("._tcp")]}, true
}

// label reads the first label of a name in its own case. It follows one chain of pointers, each of which must point
// further back.
func (p *parser) label() ([]byte, bool) {
	at, low := p.pos, p.pos
	for at+1 < len(p.data) && p.data[at] >= 0xc0 {
		to := int(binary.BigEndian.Uint16(p.data[at:]) & 0x3fff)
		if to >= low {
			return nil, false
		}
		at, low = to, to
	}
	if at >= len(p.data) {
		return nil, false
	}
	n := int(p.data[at])
	if n == 0 || n > 63 || at+1+n > len(p.data) {
		return nil, false
	}
	return p.data[at+1 : at+1+n], true
}

// service finds or adds the announcement of an instance. It returns nil if there are too many.
func (d *serviceRecords) service(n serviceName) *dissect.ServiceAnnouncement {
	for i := range d.services {
		if d.services[i].Instance == n.instance && d.services[i].Service == n.service {
			return &d.services[i]
		}
	}
	if len(d.services) == maxServices {
		return nil
	}
	d.services = append(d.services, dissect.ServiceAnnouncement{Service: n.service, Instance: n.instance})
	return &d.services[len(d.services)-1]
}

func (d *serviceRecords) where(n serviceName, at *parser) {
	port := binary.BigEndian.Uint16(at.data[at.pos+4:])
	at.pos += 6
	host, ok := at.name()
	if s := d.service(n); ok && s != nil {
		s.Host, s.Port = host, port
	}
}

// text reads the key=value strings of a TXT record (RFC 6763 section 6). The first of equal keys counts.
func (d *serviceRecords) text(n serviceName, data []byte) {
	s := d.service(n)
	if s == nil {
		return
	}
	for len(data) > 0 {
		size := min(int(data[0]), len(data)-1)
		key, value, _ := bytes.Cut(data[1:1+size], []byte("="))
		data = data[1+size:]
		if len(key) == 0 || len(s.TXT) >= maxTXTKeys {
			continue
		}
		if s.TXT == nil {
			s.TXT = make(map[string]string)
		}
		k := strings.ToLower(parse.CleanText(key, 64))
		if _, ok := s.TXT[k]; !ok {
			s.TXT[k] = parse.CleanText(value, 255)
		}
	}
}

// announce reports what was gathered, in the order of the message.
func (d *serviceRecords) announce(sink dissect.Sink) {
	for i := range d.services {
		s := d.services[i]
		sink(&s)
	}
}
