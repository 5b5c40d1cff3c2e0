// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"stillwatch/sensor/internal/packet"
)

// PeerKind is how a learned entry names the other end of a session.
type PeerKind uint8

// In the order of preference.
const (
	ByDevice     PeerKind = iota // a device of the inventory: Text
	ByZone                       // a zone of the inventory: Text
	ByName                       // the DNS name by which the device looked it up: Text
	ByDomain                     // all names below a registered domain: Text
	BySystem                     // an autonomous system (Number) and country (Text, may be "")
	ByNetwork                    // an address or network: Addr and Bits
	Inside                       // any host of the watched network; only of sessions that a device answers
	Outside                      // any other host; only of sessions that a device answers
	Anyone                       // any host; only of declared entries, as the following
	ByMaker                      // a device whose MUD URL has the host Text (RFC 8520, section 6.1)
	ByModel                      // a device with the MUD URL Text
	lastPeerKind = ByModel
)

// PeerKey identifies the other end of a session in a learned contract. It is comparable.
type PeerKey struct {
	Kind   PeerKind
	Bits   uint8
	Number uint32
	Text   string
	Addr   packet.Addr
}

// Bare reports whether the peer is outside the network and the device never looked it up by name.
func (p PeerKey) Bare() bool {
	return p.Kind == BySystem || p.Kind == ByNetwork && !netip.PrefixFrom(p.Addr.Netip(), int(p.Bits)).IsSingleIP()
}

// String returns the form of the peer in exports and alerts: "*.example.com", "203.0.113.0/24", "zone cameras".
func (p PeerKey) String() string {
	switch p.Kind {
	case ByDevice:
		return "device " + p.Text
	case ByZone:
		return "zone " + p.Text
	case ByDomain:
		return "*." + p.Text
	case BySystem:
		return strings.TrimSpace(fmt.Sprintf("AS%d %s", p.Number, p.Text))
	case ByNetwork:
		n := netip.PrefixFrom(p.Addr.Netip(), int(p.Bits))
		if n.IsSingleIP() {
			return n.Addr().String()
		}
		return n.String()
	case Inside:
		return "inside"
	case Outside:
		return "outside"
	case Anyone:
		return "anyone"
	case ByMaker:
		return "manufacturer " + p.Text
	case ByModel:
		return "model " + p.Text
	}
	return p.Text
}

var errPeer = errors.New(`a peer is "device NAME", "zone NAME", a DNS name, "*.DOMAIN", "AS64500 CC", an address, a network, "inside", "outside", "anyone", "manufacturer DOMAIN" or "model URL"`)

// ParsePeer reads the form that String writes.
func ParsePeer(s string) (PeerKey, error) {
	first, rest, _ := strings.Cut(s, " ")
	switch {
	case s == "inside":
		return PeerKey{Kind: Inside}, nil
	case s == "outside":
		return PeerKey{Kind: Outside}, nil
	case s == "anyone":
		return PeerKey{Kind: Anyone}, nil
	case first == "manufacturer" && isHost(rest):
		return PeerKey{Kind: ByMaker, Text: rest}, nil
	case first == "model" && mudHost(rest) != "":
		return PeerKey{Kind: ByModel, Text: rest}, nil
	case first == "device" && printable(rest):
		return PeerKey{Kind: ByDevice, Text: rest}, nil
	case first == "zone" && printable(rest):
		return PeerKey{Kind: ByZone, Text: rest}, nil
	case strings.HasPrefix(first, "AS"):
		if n, err := strconv.ParseUint(first[2:], 10, 32); err == nil && n > 0 && (rest == "" || len(rest) == 2) {
			return PeerKey{Kind: BySystem, Number: uint32(n), Text: rest}, nil
		}
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return networkOf(a.Unmap(), a.Unmap().BitLen()), nil
	}
	if n, err := netip.ParsePrefix(s); err == nil && n.Masked() == n {
		return networkOf(n.Addr(), n.Bits()), nil
	}
	name, wild := strings.CutPrefix(s, "*.")
	switch {
	case !isHost(name):
		return PeerKey{}, errPeer
	case !wild:
		return PeerKey{Kind: ByName, Text: name}, nil
	case registered(name) == "":
		return PeerKey{}, fmt.Errorf("*.%s: many owners have names below %s", name, name)
	}
	return PeerKey{Kind: ByDomain, Text: name}, nil
}

func networkOf(a netip.Addr, bits int) PeerKey {
	return PeerKey{Kind: ByNetwork, Bits: uint8(bits), Addr: packet.AddrOf(netip.PrefixFrom(a, bits).Masked().Addr())}
}

// outsideNetwork returns the peer of an address outside the network that has no name. Without a table of autonomous systems that is the network
// of 24 bits (IPv6: 48 bits), the smallest that is announced to the Internet.
func outsideNetwork(a netip.Addr) PeerKey {
	if a.Is4() {
		return networkOf(a, 24)
	}
	return networkOf(a, 48)
}

// includes reports whether the peer of the entry includes that of a session. A network that was declared includes a peer by its address even if
// the device looked it up by name; one that was learned does not, because it stands for hosts without a name.
func (e *LearnedEntry) includes(c *Contact) bool {
	p, q := &e.Peer, &c.Peer
	if *p == *q {
		return true
	}
	switch p.Kind {
	case ByDomain:
		return q.Kind == ByName && below(q.Text, p.Text)
	case ByNetwork:
		n := netip.PrefixFrom(p.Addr.Netip(), int(p.Bits))
		if e.declared() {
			return n.Contains(c.far)
		}
		return q.Kind == ByNetwork && p.Bits <= q.Bits && n.Contains(q.Addr.Netip())
	case Inside:
		return c.inside
	case Outside:
		return !c.inside
	case Anyone:
		return true
	}
	return c.peer != nil && p.claimedBy(c.peer.MUDURL)
}

// claimedBy reports whether a device with a MUD URL is of the manufacturer or the model that the peer names.
func (p *PeerKey) claimedBy(url string) bool {
	return p.Kind == ByMaker && mudHost(url) == p.Text || p.Kind == ByModel && url == p.Text
}

// isHost reports whether a text is the full name of a host in its only form.
func isHost(s string) bool {
	name, ok := hostName(s)
	return ok && name == s
}

func below(name, domain string) bool {
	rest, ok := strings.CutSuffix(name, domain)
	return ok && strings.HasSuffix(rest, ".")
}

// maxName is the length of a DNS name in text (RFC 1035, section 3.1).
const maxName = 253

// hostName returns a DNS name in lower case without the last dot; ok is false if it is not the full name of a host.
func hostName(s string) (name string, ok bool) {
	s = strings.TrimSuffix(s, ".")
	dot := strings.LastIndexByte(s, '.')
	if dot < 0 || len(s) > maxName || strings.Trim(s[dot+1:], "0123456789") == "" { // an address is no name
		return "", false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return "", false
		}
	}
	return strings.ToLower(s), true
}

// registered returns the registered domain of a name by the public suffix list with its private section; "" if the name is a suffix, under
// which strangers have names.
func registered(name string) string {
	d, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return ""
	}
	return d
}

// printable reports whether a name of the inventory can be written on one line.
func printable(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd })
}
