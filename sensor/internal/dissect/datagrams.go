// SPDX-License-Identifier: Apache-2.0

package dissect

import "encoding/binary"

// datagramIdentifiers are the protocols over UDP, most particular first. The first one that fits decides.
var datagramIdentifiers = []datagramIdentifier{
	{"dhcp", looksDHCP, func(Ports) datagramDissector { return dhcpDatagrams{} }},
	{"dtls", func(b []byte, _ Ports) bool { return dtlsLooks(b) }, func(Ports) datagramDissector { return new(dtlsConn) }},
	{"stun", looksSTUN, nil},
	{"dhip", looksDHIPDatagram, nil},
	{"xmeye", looksXMEyeDatagram, nil},
	{"dvrip", looksDVRIPDatagram, nil},
	{"ssdp", looksSSDP, nil},
	{"wsd", looksWSDiscovery, nil},
	{"sadp", looksSADP, nil},
	{"sip", looksSIPDatagram, nil},
	{"snmp", looksSNMP, func(Ports) datagramDissector { return new(snmpDatagrams) }},
	{"dhcpv6", looksDHCPv6, func(Ports) datagramDissector { return dhcpv6Datagrams{} }},
	{"nbns", looksNBNS, nil},
	{"ike", looksIKE, nil},
	{"radius", looksRADIUS, nil},
	{"wireguard", looksWireGuard, nil},
	{"openvpn", looksOpenVPN, nil},
	{"tuya", looksTuya, nil},
	{"pppp", looksPPPP, nil},
	{"bittorrent", looksDHT, nil},
	{"kerberos", looksKerberos, nil},
	{"syslog", looksSyslog, nil},
	{"tftp", looksTFTP, nil},
	{"mdns", looksMDNS, func(Ports) datagramDissector { return &dnsDatagrams{mdns: true} }},
	{"llmnr", looksLLMNR, func(Ports) datagramDissector { return &dnsDatagrams{llmnr: true} }},
	{"dns", looksDNSMessage, func(Ports) datagramDissector { return new(dnsDatagrams) }},
	{"ntp", looksNTP, func(Ports) datagramDissector { return new(ntpDatagrams) }},
	{"rtcp", looksRTCP, nil},
	{"quic", func(b []byte, _ Ports) bool { return quicLooks(b) }, func(Ports) datagramDissector { return new(quicConn) }},
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
