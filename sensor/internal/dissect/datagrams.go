// SPDX-License-Identifier: Apache-2.0

package dissect

import "encoding/binary"

// datagramIdentifiers are the protocols over UDP, most particular first. The first one that fits decides.
var datagramIdentifiers = []datagramIdentifier{
	{"dhcp", "\x01\x02", looksDHCP, func(Ports) datagramDissector { return dhcpDatagrams{} }},
	{"dtls", "\x14\x18", func(b []byte, _ Ports) bool { return dtlsLooks(b) }, func(Ports) datagramDissector { return new(dtlsConn) }},
	{"stun", "\x00\x3f", looksSTUN, nil},
	{"dhip", "\x20\x20", looksDHIPDatagram, nil},
	{"xmeye", "\xff\xff", looksXMEyeDatagram, nil},
	{"dvrip", "\xa3\xa3\xb3\xb3", looksDVRIPDatagram, nil},
	{"ssdp", "HHMN", looksSSDP, nil},
	{"wsd", "\n\n\r\r  <<\xef\xef", looksWSDiscovery, nil},
	{"sadp", "<<", looksSADP, nil},
	{"sip", "\r\rAZhh", looksSIPDatagram, nil},
	{"snmp", "00", looksSNMP, func(Ports) datagramDissector { return new(snmpDatagrams) }},
	{"dhcpv6", "", looksDHCPv6, func(Ports) datagramDissector { return dhcpv6Datagrams{} }},
	{"nbns", "", looksNBNS, nil},
	{"ike", "", looksIKE, nil},
	{"radius", "", looksRADIUS, nil},
	{"wireguard", "\x01\x02", looksWireGuard, nil},
	{"openvpn", "\x38\x38\x40\x40", looksOpenVPN, nil},
	{"tuya", "\x00\x00", looksTuya, nil},
	{"pppp", "\xf1\xf1", looksPPPP, nil},
	{"bittorrent", "dd", looksDHT, nil},
	{"kerberos", "jm~~", looksKerberos, nil},
	{"syslog", "<<", looksSyslog, nil},
	{"tftp", "\x00\x00", looksTFTP, nil},
	{"mdns", "", looksMDNS, func(Ports) datagramDissector { return dnsMulticast }},
	{"llmnr", "", looksLLMNR, func(Ports) datagramDissector { return dnsLLMNR }},
	{"dns", "", looksDNSMessage, func(Ports) datagramDissector { return dnsPlain }},
	{"ntp", "", looksNTP, func(Ports) datagramDissector { return new(ntpDatagrams) }},
	{"rtcp", "\x80\xbf", looksRTCP, nil},
	{"quic", "", func(b []byte, _ Ports) bool { return quicLooks(b) }, func(Ports) datagramDissector { return new(quicConn) }},
}

// datagramOrder gives, for each first byte, the entries that such a datagram may fit, in their order.
var datagramOrder = orderDatagrams()

func orderDatagrams() (order [256][]*datagramIdentifier) {
	for i := range datagramIdentifiers {
		id := &datagramIdentifiers[i]
		for c := range order {
			if id.takes(byte(c)) {
				order[c] = append(order[c], id)
			}
		}
	}
	return order
}

func looksMDNS(b []byte, ports Ports) bool { return ports.has(5353) && looksDNSMessage(b, ports) }

func looksLLMNR(b []byte, ports Ports) bool { return ports.has(5355) && looksDNSMessage(b, ports) }

// looksNBNS tells NetBIOS names (RFC 1002 section 4.1): DNS in form, with a name of 32 letters A to P and types of its own.
func looksNBNS(b []byte, ports Ports) bool {
	const name, kinds = 32, dnsHeaderLen + 1 + 32 + 1
	if len(b) < kinds+4 || b[dnsHeaderLen] != name || !ports.has(137) {
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
