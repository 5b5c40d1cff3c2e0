// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/dns"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "dhcp",
	Signs: "fixed part and magic cookie",
	Reads: "message, client, names, options, addresses",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 10, First: "\x01\x02", Looks: LooksDHCP, New: NewDHCP},
	},
})

const (
	dhcpFixed  = 240 // fixed part and magic cookie, RFC 2131 section 2
	dhcpSName  = 44
	dhcpFile   = 108
	dhcpMagic  = "\x63\x82\x53\x63"
	maxOptions = 128
	// maxOptionBytes bounds the field of options that is kept; clients send some 300 bytes.
	maxOptionBytes = 1024
)

var dhcpTypes = [...]string{1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release", 8: "inform"}

type dhcpDatagrams struct{}

// NewDHCP returns a dissector of DHCP.
func NewDHCP() dissect.Datagrams { return dhcpDatagrams{} }

// LooksDHCP recognizes a message by its fixed part and the magic cookie.
func LooksDHCP(b []byte, _ dissect.Ports) bool {
	return len(b) >= dhcpFixed && (b[0] == 1 || b[0] == 2) && b[2] <= 16 && string(b[236:240]) == dhcpMagic
}

func (dhcpDatagrams) Datagram(_ int, data []byte, sink dissect.Sink) bool {
	if m, ok := readDHCP(data); ok {
		sink(m)
	}
	return true
}

// readDHCP reads a DHCPv4 message. BOOTP messages without a message type have an empty Type.
func readDHCP(b []byte) (*dissect.DHCPMessage, bool) {
	if !LooksDHCP(b, dissect.Ports{}) {
		return nil, false
	}
	m := &dissect.DHCPMessage{ClientIP: dhcpAddr(b[12:16]), YourIP: dhcpAddr(b[16:20])}
	if b[1] == 1 && b[2] == 6 {
		copy(m.ClientMAC[:], b[28:34])
	}
	var o dhcpOptions
	o.read(b[dhcpFixed:])
	// RFC 2131 section 4.1: with option 52 the fields for the file and the server name contain options, too, in this
	// order.
	if v := o.get(52); len(v) == 1 {
		if v[0]&1 != 0 {
			o.read(b[dhcpFile : dhcpFixed-4])
		}
		if v[0]&2 != 0 {
			o.read(b[dhcpSName:dhcpFile])
		}
	}
	dhcpReadOptions(m, &o)
	m.Options = append([]byte(nil), b[dhcpFixed:min(len(b), dhcpFixed+maxOptionBytes)]...)
	return m, true
}

func dhcpReadOptions(m *dissect.DHCPMessage, o *dhcpOptions) {
	if v := o.get(53); len(v) == 1 && int(v[0]) < len(dhcpTypes) {
		m.Type = dhcpTypes[v[0]]
	}
	m.RequestedIP, m.ServerID, m.Router = dhcpAddr(o.get(50)), dhcpAddr(o.get(54)), dhcpAddr(o.get(3))
	m.Resolvers, m.Clocks, m.Loggers = dhcpAddrs(o.get(6)), dhcpAddrs(o.get(42)), dhcpAddrs(o.get(7))
	if v := o.get(1); len(v) == 4 {
		if mask := binary.BigEndian.Uint32(v); mask != 0 && ^mask&(^mask+1) == 0 {
			m.SubnetBits = bits.OnesCount32(mask)
		}
	}
	m.Hostname = parse.CleanText(o.get(12), 255)
	m.VendorClass = parse.CleanText(o.get(60), 255)
	m.UserClass = parse.CleanText(dhcpUserClass(o.get(77)), 255)
	if v := o.get(124); len(v) >= 5 {
		m.Vendor = announce.Enterprise(binary.BigEndian.Uint32(v))
	}
	m.MUDURL = parse.CleanText(o.get(161), 255)
	m.ParamList = append([]byte(nil), o.get(55)...)
	m.ClientID = append([]byte(nil), o.get(61)...)
	if v := o.get(51); len(v) == 4 {
		m.LeaseSeconds = binary.BigEndian.Uint32(v)
	}
	if m.Hostname == "" {
		m.Hostname = dhcpFQDN(o.get(81))
	}
}

// dhcpAddr returns the first address of b. It is invalid if there is none or it is zero.
func dhcpAddr(b []byte) netip.Addr {
	if len(b) < 4 || [4]byte(b[:4]) == [4]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(b[:4]))
}

// dhcpAddrs returns the addresses of a list, at most 8.
func dhcpAddrs(b []byte) (all []netip.Addr) {
	const most = 8
	for ; len(b) >= 4 && len(all) < most; b = b[4:] {
		if a := dhcpAddr(b); a.IsValid() {
			all = append(all, a)
		}
	}
	return all
}

// dhcpUserClass returns the first user class. By RFC 3004 section 4 a length precedes it, but many clients send plain
// text.
func dhcpUserClass(b []byte) []byte {
	if len(b) > 1 && int(b[0]) < len(b) && b[0] > 0 && b[0] < 0x20 {
		return b[1 : 1+int(b[0])]
	}
	return b
}

// dhcpFQDN reads the client's name of RFC 4702, in either encoding.
func dhcpFQDN(b []byte) string {
	const encoded = 4
	if len(b) < 4 {
		return ""
	}
	if b[0]&encoded == 0 {
		return parse.CleanText(b[3:], 255)
	}
	name, _ := dns.NameAt(b, 3)
	return name
}

// dhcpOptions are the options of a message. Options in several parts are joined (RFC 3396).
type dhcpOptions struct {
	code  [maxOptions]uint8
	value [maxOptions][]byte
	n     int
}

func (o *dhcpOptions) read(b []byte) {
	const pad, end = 0, 255
	for len(b) > 0 && b[0] != end && o.n < maxOptions {
		if b[0] == pad {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return
		}
		size := int(b[1])
		o.add(b[0], b[2:2+size:2+size])
		b = b[2+size:]
	}
}

func (o *dhcpOptions) add(code uint8, value []byte) {
	for i := range o.n {
		if o.code[i] == code {
			// The capacity ends with the part, so append copies and does not write to the datagram.
			o.value[i] = append(o.value[i], value...)
			return
		}
	}
	o.code[o.n], o.value[o.n] = code, value
	o.n++
}

func (o *dhcpOptions) get(code uint8) []byte {
	for i := range o.n {
		if o.code[i] == code {
			return o.value[i]
		}
	}
	return nil
}
