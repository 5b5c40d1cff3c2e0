// SPDX-License-Identifier: Apache-2.0

package dissect

import "encoding/binary"

// datagramIdentifiers are the protocols over UDP, most particular first. The first one that fits decides.
var datagramIdentifiers = []datagramIdentifier{
	{AppID{"dhcp"}, "\x01\x02", nil, looksDHCP, func(*Conversation) datagramDissector { return dhcpDatagrams{} }},
	{AppID{"dtls"}, "\x14\x18", nil, func(b []byte, _ Ports) bool { return dtlsLooks(b) }, func(*Conversation) datagramDissector { return new(dtlsConn) }},
	{AppID{"stun"}, "\x00\x3f", nil, looksSTUN, nil},
	{AppID{"dhip"}, "\x20\x20", nil, looksDHIPDatagram, nil},
	{AppID{"xmeye"}, "\xff\xff", nil, looksXMEyeDatagram, nil},
	{AppID{"dvrip"}, "\xa3\xa3\xb3\xb3", nil, looksDVRIPDatagram, nil},
	{AppID{"ssdp"}, "HHMN", nil, looksSSDP, nil},
	{AppID{"wsd"}, "\n\n\r\r  <<\xef\xef", nil, looksWSDiscovery, nil},
	{AppID{"sadp"}, "<<", nil, looksSADP, nil},
	{AppID{"sip"}, "\r\rAZhh", nil, looksSIPDatagram, nil},
	{AppID{"snmp"}, "00", nil, looksSNMP, func(*Conversation) datagramDissector { return new(snmpDatagrams) }},
	{AppID{"dhcpv6"}, "", []uint16{546, 547}, looksDHCPv6, func(*Conversation) datagramDissector { return dhcpv6Datagrams{} }},
	{AppID{"nbns"}, "", []uint16{137}, looksNBNS, nil},
	{AppID{"ike"}, "", []uint16{500, 4500}, looksIKE, nil},
	{AppID{"radius"}, "", []uint16{1812, 1813, 1645, 1646, 3799}, looksRADIUS, nil},
	{AppID{"wireguard"}, "\x01\x02", nil, looksWireGuard, nil},
	{AppID{"openvpn"}, "\x38\x38\x40\x40\x50\x50", nil, looksOpenVPN, func(*Conversation) datagramDissector { return new(openVPN) }},
	{AppID{"rdp"}, "\xff\xff", nil, looksRDPUDP, func(*Conversation) datagramDissector { return new(rdpUDP) }},
	{AppID{"tuya"}, "\x00\x00", nil, looksTuya, nil},
	{AppID{"pppp"}, "\xf1\xf1", []uint16{32100, 32108}, looksPPPP, nil},
	{AppID{"bittorrent"}, "dd", nil, looksDHT, nil},
	{AppID{"kerberos"}, "jm~~", nil, looksKerberos, nil},
	{AppID{"syslog"}, "<<", nil, looksSyslog, nil},
	{AppID{"tftp"}, "\x00\x00", nil, looksTFTP, nil},
	{AppID{"mdns"}, "", []uint16{5353}, looksDNSMessage, openDNS(dnsMulticast)},
	{AppID{"llmnr"}, "", []uint16{5355}, looksDNSMessage, openDNS(dnsLLMNR)},
	{AppID{"dns"}, "", nil, looksDNSMessage, openDNS(dnsPlain)},
	{AppID{"ntp"}, "", nil, looksNTP, func(*Conversation) datagramDissector { return new(ntpDatagrams) }},
	{AppID{"rtcp"}, "\x80\xbf", nil, looksRTCP, nil},
	{AppID{"quic"}, "", nil, func(b []byte, _ Ports) bool { return quicLooks(b) }, func(*Conversation) datagramDissector { return new(quicConn) }},
}

// datagramOrder gives, for each first byte, the entries that such a datagram may fit, in their order: index 0 those that may be anywhere,
// index 1 also those that are bound to ports.
var datagramOrder = [2][256][]*datagramIdentifier{orderDatagrams(false), orderDatagrams(true)}

func orderDatagrams(bound bool) (order [256][]*datagramIdentifier) {
	for i := range datagramIdentifiers {
		id := &datagramIdentifiers[i]
		for c := range order {
			if id.takes(byte(c)) && (bound || len(id.where) == 0) {
				order[c] = append(order[c], id)
			}
		}
	}
	return order
}

// boundPorts are those to which some entry is bound, one bit a port.
var boundPorts = bindPorts()

func bindPorts() (bits [1 << 16 / 64]uint64) {
	for i := range datagramIdentifiers {
		for _, port := range datagramIdentifiers[i].where {
			bits[port/64] |= 1 << (port % 64)
		}
	}
	return bits
}

// candidates gives the entries that data, which is not empty, may fit.
func candidates(data []byte, ports Ports) []*datagramIdentifier {
	bound := boundPorts[ports.Client/64]>>(ports.Client%64) | boundPorts[ports.Server/64]>>(ports.Server%64)
	return datagramOrder[bound&1][data[0]]
}

// looksNBNS tells NetBIOS names (RFC 1002 section 4.1): DNS in form, with a name of 32 letters A to P and types of its own.
func looksNBNS(b []byte, _ Ports) bool {
	const name, kinds = 32, dnsHeaderLen + 1 + 32 + 1
	if len(b) < kinds+4 || b[dnsHeaderLen] != name {
		return false
	}
	for _, c := range b[dnsHeaderLen+1 : dnsHeaderLen+1+name] {
		if c < 'A' || c > 'P' {
			return false
		}
	}
	kind := binary.BigEndian.Uint16(b[kinds:])
	return kind == 0x20 || kind == 0x21
}
