// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"errors"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/packet"
)

// direction is the end of a packet that a primitive is about.
type direction uint8

const (
	dirEither direction = iota
	dirSrc
	dirDst
	dirBoth
)

// maxFilter bounds an expression in bytes, and maxDepth its nested parentheses.
const (
	maxFilter = 64 << 10
	maxDepth  = 100
)

// ParseFilter compiles an expression. The error names the word that is wrong.
func ParseFilter(text string) (*Filter, error) {
	if len(text) > maxFilter {
		return nil, fmt.Errorf("the expression has %d bytes; at most %d are possible", len(text), maxFilter)
	}
	p := &parser{words: words(text)}
	if len(p.words) == 0 {
		return nil, errors.New("the expression is empty")
	}
	t, err := p.expression()
	if err == nil && p.at < len(p.words) {
		err = fmt.Errorf("%q is not expected here", p.words[p.at])
		if p.words[p.at] != ")" {
			err = fmt.Errorf("%w: write and or or before it", err)
		}
	}
	if err != nil {
		return nil, err
	}
	return &Filter{text, t}, nil
}

// words splits an expression. Parentheses and operators need no blanks around them.
func words(text string) (all []string) {
	for _, w := range strings.Fields(text) {
		for w != "" {
			n := strings.IndexAny(w, "()!&|")
			switch {
			case n < 0:
				n = len(w)
			case n == 0 && (strings.HasPrefix(w, "&&") || strings.HasPrefix(w, "||")):
				n = 2
			case n == 0:
				n = 1
			}
			all = append(all, w[:n])
			w = w[n:]
		}
	}
	return all
}

// qualifiers precede the value of a primitive: "tcp src port". A value without any takes those of the primitive before it.
type qualifiers struct {
	proto, kind string
	dir         direction
}

type parser struct {
	words []string
	at    int
	depth int
	last  qualifiers
}

// peek returns the next word, "" at the end.
func (p *parser) peek() string {
	if p.at < len(p.words) {
		return p.words[p.at]
	}
	return ""
}

// accept skips the next word if it is one of these.
func (p *parser) accept(words ...string) bool {
	for _, w := range words {
		if p.at < len(p.words) && p.words[p.at] == w {
			p.at++
			return true
		}
	}
	return false
}

// value returns the next word, which is the value of a primitive.
func (p *parser) value(of string) (string, error) {
	switch w := p.peek(); w {
	case "":
		return "", fmt.Errorf("the expression ends where a value for %q is expected", of)
	case "(", ")", "and", "or", "not", "&&", "||", "!", "&", "|":
		return "", fmt.Errorf("%q needs a value, not %q", of, w)
	default:
		p.at++
		return w, nil
	}
}

// expression reads terms. And and or have the same precedence, from left to right, as in tcpdump.
func (p *parser) expression() (test, error) {
	t, err := p.term()
	for err == nil {
		var next test
		switch {
		case p.accept("and", "&&"):
			if next, err = p.term(); err == nil {
				t = both(t, next)
			}
		case p.accept("or", "||"):
			if next, err = p.term(); err == nil {
				t = either(t, next)
			}
		default:
			return t, nil
		}
	}
	return nil, err
}

func (p *parser) term() (test, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("the expression is nested deeper than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()
	switch {
	case p.accept("not", "!"):
		t, err := p.term()
		if err != nil {
			return nil, err
		}
		return not(t), nil
	case p.accept("("):
		t, err := p.expression()
		if err == nil && !p.accept(")") {
			err = errors.New("a closing parenthesis is missing")
		}
		return t, err
	}
	return p.primitive()
}

// refused are primitives of tcpdump that are about single packets, or need what a sensor must not do.
var refused = map[string]string{
	"less": "it selects single packets, and sessions are selected as a whole", "greater": "it selects single packets, and sessions are selected as a whole",
	"len": "it selects single packets, and sessions are selected as a whole", "gateway": "it needs a name server", "inbound": "captures do not tell",
	"outbound": "captures do not tell", "mpls": "tunnels are removed before", "pppoes": "tunnels are removed before", "geneve": "tunnels are removed before",
	"vxlan": "tunnels are removed before",
}

func (p *parser) primitive() (test, error) {
	var q qualifiers
	first := p.peek()
	if why, ok := refused[first]; ok {
		return nil, fmt.Errorf("%q is not supported: %s", first, why)
	}
	if strings.ContainsRune(first, '[') {
		return nil, fmt.Errorf("%q is not supported: it selects single packets, and sessions are selected as a whole", first)
	}
	if _, ok := protocols[first]; ok {
		q.proto = first
		p.at++
	}
	p.direction(&q)
	switch w := p.peek(); w {
	case "host", "net", "port", "portrange", "proto":
		q.kind = w
		p.at++
	case "vlan":
		if q == (qualifiers{}) {
			p.at++
			return p.vlan()
		}
	case "broadcast", "multicast":
		if q.dir == dirEither && (q.proto == "" || q.proto == "ether" || q.proto == "ip" || q.proto == "ip6") {
			p.at++
			return toGroup(q.proto, w == "broadcast"), nil
		}
	}
	switch {
	case q == (qualifiers{}):
		if first == "" {
			return nil, errors.New("the expression ends where a condition is expected")
		}
		if p.last.kind == "" || first == ")" || first == "and" || first == "or" || first == "&&" || first == "||" {
			return nil, fmt.Errorf("%q is not expected here: a condition begins with host, net, port, portrange, proto, vlan, src, dst, ether or the name of a protocol", first)
		}
		q = p.last
	case q.kind == "" && q.dir == dirEither:
		return protocols[q.proto], nil
	case q.kind == "":
		q.kind = "host"
	}
	p.last = q
	return p.valued(q)
}

// direction reads "src", "dst", "src or dst" or "src and dst".
func (p *parser) direction(q *qualifiers) {
	ends := map[string]direction{"src": dirSrc, "dst": dirDst}
	d, ok := ends[p.peek()]
	if !ok {
		return
	}
	p.at++
	q.dir = d
	if p.at+1 < len(p.words) && (p.words[p.at] == "or" || p.words[p.at] == "and") {
		if e, ok := ends[p.words[p.at+1]]; ok && e != d {
			q.dir = dirEither
			if p.words[p.at] == "and" {
				q.dir = dirBoth
			}
			p.at += 2
		}
	}
}

func (p *parser) vlan() (test, error) {
	n, err := strconv.ParseUint(p.peek(), 0, 16)
	if err != nil {
		return tagged(0, true), nil // any tag
	}
	if n > 4095 {
		return nil, fmt.Errorf("vlan %d: a number from 0 to 4095 is expected", n)
	}
	p.at++
	return tagged(uint16(n), false), nil
}

// valued reads the value of a primitive.
func (p *parser) valued(q qualifiers) (t test, err error) {
	v, err := p.value(q.kind)
	if err != nil {
		return nil, err
	}
	switch q.kind {
	case "host":
		t, err = hostTest(q, v)
	case "net":
		t, err = p.netTest(q, v)
	case "port", "portrange":
		t, err = portTest(q, v)
	case "proto":
		t, err = protoTest(q, v)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", q.kind, v, err)
	}
	if q.proto != "" && q.proto != "ether" && q.kind != "proto" {
		t = both(protocols[q.proto], t)
	}
	return t, nil
}

func hostTest(q qualifiers, v string) (test, error) {
	if mac, err := net.ParseMAC(v); err == nil && len(mac) == 6 {
		return hardware(q.dir, packet.MAC(mac)), nil
	}
	a, err := netip.ParseAddr(v)
	switch {
	case q.proto == "ether":
		return nil, errors.New("a MAC such as 00:11:22:33:44:55 is expected")
	case err != nil || a.Zone() != "":
		return nil, errors.New("an address is expected; names are not resolved")
	}
	return network(q.dir, netip.PrefixFrom(a, a.BitLen())), nil
}

func (p *parser) netTest(q qualifiers, v string) (test, error) {
	text, length, cut := strings.Cut(v, "/")
	a, err := netip.ParseAddr(text)
	width := 0
	if err != nil { // "10", "192.168": the missing bytes are zero
		parts := strings.Split(text, ".")
		if len(parts) > 3 || text == "" {
			return nil, errors.New("a network such as 10.0.0.0/8 is expected")
		}
		if a, err = netip.ParseAddr(text + strings.Repeat(".0", 4-len(parts))); err != nil {
			return nil, errors.New("a network such as 10.0.0.0/8 is expected")
		}
		width = 8 * len(parts)
	} else {
		width = a.BitLen()
	}
	switch {
	case cut:
		if width, err = strconv.Atoi(length); err != nil || width < 0 || width > a.BitLen() {
			return nil, fmt.Errorf("the length of the prefix is a number from 0 to %d", a.BitLen())
		}
	case p.accept("mask"):
		m, err := p.value("mask")
		if err != nil {
			return nil, err
		}
		mask, err := netip.ParseAddr(m)
		if err != nil || !mask.Is4() || !a.Is4() {
			return nil, errors.New("a mask such as 255.255.255.0 is expected")
		}
		b := mask.As4()
		w := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		if width = bits.LeadingZeros32(^w); w<<width != 0 {
			return nil, fmt.Errorf("mask %s: the ones are not in front", m)
		}
	}
	n := netip.PrefixFrom(a, width)
	if n.Masked() != n {
		return nil, fmt.Errorf("bits beyond the prefix are set; write net %s", n.Masked())
	}
	return network(q.dir, n), nil
}

func portTest(q qualifiers, v string) (test, error) {
	if q.proto == "ether" || q.proto == "arp" || strings.HasPrefix(q.proto, "icmp") {
		return nil, fmt.Errorf("%s has no ports", q.proto)
	}
	low, high, cut := strings.Cut(v, "-")
	if q.kind == "port" || !cut {
		low, high = v, v
	}
	a, errA := portOf(q, low)
	b, errB := portOf(q, high)
	switch {
	case errA != nil || errB != nil:
		return nil, errors.New("a number from 0 to 65535 or the name of a service is expected")
	case b < a:
		a, b = b, a
	}
	return ports(q.dir, a, b), nil
}

// portOf returns a port by its number or by the name of a service in /etc/services.
func portOf(q qualifiers, v string) (uint16, error) {
	if n, err := strconv.ParseUint(v, 0, 16); err == nil {
		return uint16(n), nil
	}
	networks := []string{"tcp", "udp"}
	if q.proto == "tcp" || q.proto == "udp" {
		networks = []string{q.proto}
	}
	var err error
	for _, network := range networks {
		var n int
		if n, err = net.LookupPort(network, v); err == nil {
			return uint16(n), nil
		}
	}
	return 0, err
}

func protoTest(q qualifiers, v string) (test, error) {
	if q.dir != dirEither {
		return nil, errors.New("src and dst are not possible here")
	}
	v = strings.TrimPrefix(v, `\`)
	t, known := protocols[v]
	switch {
	case q.proto == "ether" && known && (v == "ip" || v == "ip6" || v == "arp"):
		return t, nil
	case q.proto == "ether":
		return nil, errors.New("ip, ip6 or arp is expected")
	case !known || v == "ether":
		n, err := strconv.ParseUint(v, 0, 8)
		if err != nil {
			return nil, errors.New("a number from 0 to 255 or the name of a protocol is expected")
		}
		t = ipProto(uint8(n))
	}
	if q.proto != "" {
		t = both(protocols[q.proto], t)
	}
	return t, nil
}
