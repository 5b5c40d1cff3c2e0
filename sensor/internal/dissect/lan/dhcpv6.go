// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"cmp"
	"encoding/binary"
	"net/netip"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/dns"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "dhcpv6",
	Signs: "message type and options",
	Ports: "546, 547",
	Reads: "message, client, name, options, addresses",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 310, Ports: []uint16{546, 547}, Looks: LooksDHCPv6, New: NewDHCPv6},
	},
})

// Option codes of DHCPv6: RFC 8415 section 21, 4704 (FQDN), 6939 (client link-layer address), 8520 (MUD URL).
const (
	dhcp6ClientID    = 1
	dhcp6IANA        = 3
	dhcp6IATA        = 4
	dhcp6Address     = 5
	dhcp6Requests    = 6
	dhcp6Relayed     = 9
	dhcp6VendorClass = 16
	dhcp6FQDN        = 39
	dhcp6LinkLayer   = 79
	dhcp6MUDURL      = 112
)

const (
	maxRelays      = 8 // RFC 8415 section 7.6: HOP_COUNT_LIMIT
	maxDHCP6Addrs  = 16
	maxOptionCodes = 128
)

var dhcp6Types = [...]string{1: "solicit", 2: "advertise", 3: "request", 4: "confirm", 5: "renew", 6: "rebind", 7: "reply", 8: "release",
	9: "decline", 10: "reconfigure", 11: "information-request", 12: "relay-forw", 13: "relay-repl"}

type dhcpv6Datagrams struct{}

// NewDHCPv6 returns a dissector of DHCPv6.
func NewDHCPv6() dissect.Datagrams { return dhcpv6Datagrams{} }

// LooksDHCPv6 is for the ports of DHCPv6 only: the format alone proves little.
func LooksDHCPv6(b []byte, _ dissect.Ports) bool {
	if len(b) < 8 || b[0] == 0 || int(b[0]) >= len(dhcp6Types) {
		return false
	}
	at := 4
	if b[0] >= 12 {
		at = 34
	}
	if len(b) < at {
		return false
	}
	options := dhcp6Options{b[at:]}
	for {
		if _, _, ok := options.next(); !ok {
			return len(options.b) == 0
		}
	}
}

func (dhcpv6Datagrams) Datagram(_ int, data []byte, sink dissect.Sink) bool {
	if m, ok := readDHCPv6(data); ok {
		sink(m)
	}
	return true
}

// dhcp6Message is a message that is being read.
type dhcp6Message dissect.DHCPv6Message

// readDHCPv6 reads a message. For a relayed message it keeps the type of the relay message and the contents of the
// innermost one.
func readDHCPv6(b []byte) (*dissect.DHCPv6Message, bool) {
	if len(b) < 4 || b[0] == 0 || int(b[0]) >= len(dhcp6Types) {
		return nil, false
	}
	m := &dhcp6Message{Type: dhcp6Types[b[0]]}
	for range maxRelays {
		if len(b) < 34 || b[0] != 12 && b[0] != 13 {
			break
		}
		inner := m.relay(dhcp6Options{b[34:]})
		if inner == nil {
			return (*dissect.DHCPv6Message)(m), true
		}
		b = inner
	}
	if len(b) >= 4 && b[0] < 12 {
		m.options(dhcp6Options{b[4:]})
	}
	return (*dissect.DHCPv6Message)(m), true
}

// relay reads the options of a relay message and returns the message in it.
func (m *dhcp6Message) relay(options dhcp6Options) (inner []byte) {
	for code, v, ok := options.next(); ok; code, v, ok = options.next() {
		switch code {
		case dhcp6Relayed:
			inner = v
		case dhcp6LinkLayer:
			if len(v) == 8 && binary.BigEndian.Uint16(v) == 1 {
				m.MAC = [6]byte(v[2:8])
			}
		}
	}
	return inner
}

func (m *dhcp6Message) options(options dhcp6Options) {
	for code, v, ok := options.next(); ok; code, v, ok = options.next() {
		switch code {
		case dhcp6ClientID:
			m.clientID(v)
		case dhcp6IANA, dhcp6IATA:
			m.addresses(code, v)
		case dhcp6Requests:
			for ; len(v) >= 2 && len(m.OptionRequest) < maxOptionCodes; v = v[2:] {
				m.OptionRequest = append(m.OptionRequest, binary.BigEndian.Uint16(v))
			}
		case dhcp6VendorClass:
			m.vendorClass(v)
		case dhcp6FQDN:
			m.FQDN, _ = dns.NameAt(v, 1)
		case dhcp6MUDURL:
			m.MUDURL = parse.CleanText(v, 255)
		}
	}
}

// clientID keeps the DUID, the MAC address in a DUID-LLT or DUID-LL, and the vendor in a DUID-EN (RFC 8415 section 11).
func (m *dhcp6Message) clientID(v []byte) {
	const maxDUID, llt, en, ll = 130, 1, 2, 3
	if len(v) < 4 || len(v) > maxDUID {
		return
	}
	m.DUID = append([]byte(nil), v...)
	if binary.BigEndian.Uint16(v) == en && len(v) >= 6 {
		m.Vendor = cmp.Or(m.Vendor, announce.Enterprise(binary.BigEndian.Uint32(v[2:])))
	}
	ethernet := binary.BigEndian.Uint16(v[2:]) == 1
	switch kind := binary.BigEndian.Uint16(v); {
	case m.MAC != [6]byte{} || !ethernet:
	case kind == llt && len(v) == 14:
		m.MAC = [6]byte(v[8:14])
	case kind == ll && len(v) == 10:
		m.MAC = [6]byte(v[4:10])
	}
}

// addresses reads the addresses in an identity association. One with a valid lifetime of zero in a reply is taken back (RFC 8415 section 18.2.10.1).
func (m *dhcp6Message) addresses(code uint16, v []byte) {
	skip := 12 // IAID, T1, T2
	if code == dhcp6IATA {
		skip = 4
	}
	if len(v) < skip {
		return
	}
	options := dhcp6Options{v[skip:]}
	for code, a, ok := options.next(); ok; code, a, ok = options.next() {
		if code == dhcp6Address && len(a) >= 24 && len(m.Addrs) < maxDHCP6Addrs && !(m.Type == "reply" && binary.BigEndian.Uint32(a[20:]) == 0) {
			m.Addrs = append(m.Addrs, netip.AddrFrom16([16]byte(a[:16])))
		}
	}
}

func (m *dhcp6Message) vendorClass(v []byte) {
	if len(v) < 6 {
		return
	}
	m.EnterpriseID = binary.BigEndian.Uint32(v)
	m.Vendor = cmp.Or(announce.Enterprise(m.EnterpriseID), m.Vendor)
	n := min(int(binary.BigEndian.Uint16(v[4:])), len(v)-6)
	m.VendorClass = parse.CleanText(v[6:6+n], 255)
}

// dhcp6Options iterates over options: code, length, value.
type dhcp6Options struct{ b []byte }

func (o *dhcp6Options) next() (code uint16, value []byte, ok bool) {
	if len(o.b) < 4 {
		return 0, nil, false
	}
	n := int(binary.BigEndian.Uint16(o.b[2:]))
	if len(o.b) < 4+n {
		return 0, nil, false
	}
	code, value = binary.BigEndian.Uint16(o.b), o.b[4:4+n]
	o.b = o.b[4+n:]
	return code, value, true
}
