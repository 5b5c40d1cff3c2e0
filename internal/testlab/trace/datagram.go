// SPDX-License-Identifier: Apache-2.0

package trace

import "strings"

// dnsName appends a name in the wire form of RFC 1035 section 3.1.
func dnsName(b []byte, name string) []byte {
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0)
}

// dnsQuery builds a query for the addresses of name; the id is at its start.
func dnsQuery(name string, kind uint16) []byte {
	b := u16s(nil, 0, 0x0100, 1, 0, 0, 0)
	return u16s(dnsName(b, name), kind, 1)
}

// dnsAnswer builds the answer with one address, or with code 3 (no such name) without.
func dnsAnswer(name string, kind uint16, addr uint32, code uint16) []byte {
	b := dnsQuery(name, kind)
	be.PutUint16(b[2:], 0x8180|code)
	if code != 0 || kind != 1 {
		return b
	}
	be.PutUint16(b[6:], 1)
	b = u16s(b, 0xc00c, 1, 1, 0, 300, 4)
	return be.AppendUint32(b, addr)
}

func dnsDialogue(name string, kind uint16, addr uint32, code uint16) *dialogue {
	return &dialogue{proto: udp, port: 53, msgs: []msg{
		{up: true, data: dnsQuery(name, kind), random: 2}, {data: dnsAnswer(name, kind, addr, code), random: 2},
	}}
}

// ntpDialogue is a request and its answer (RFC 5905 section 7.3).
func ntpDialogue() *dialogue {
	ask, answer := make([]byte, 48), make([]byte, 48)
	ask[0] = 0x23
	copy(answer, []byte{0x24, 2, 6, 0xe9})
	return &dialogue{proto: udp, port: 123, msgs: []msg{
		{up: true, data: ask, patch: 40, random: 8}, {data: answer, patch: 40, random: 8, salt: 1},
	}}
}

// snmpDialogue asks for sysUpTime by SNMP version 2c (RFC 3416).
func snmpDialogue() *dialogue {
	get := func(kind byte, value []byte) []byte {
		bind := append([]byte{6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0}, value...)
		return block([]byte{0x30}, 1, func(b []byte) []byte {
			b = append(b, 2, 1, 1, 4, 7, 'm', 'o', 'n', 'i', 't', 'o', 'r', kind)
			return block(b, 1, func(b []byte) []byte {
				b = append(b, 2, 4, 1, 0, 0, 0, 2, 1, 0, 2, 1, 0, 0x30)
				return block(b, 1, func(b []byte) []byte {
					return block(append(b, 0x30), 1, func(b []byte) []byte { return append(b, bind...) })
				})
			})
		})
	}
	return &dialogue{proto: udp, port: 161, msgs: []msg{
		{up: true, data: get(0xa0, []byte{5, 0})}, {data: get(0xa2, []byte{0x43, 4, 1, 2, 3, 4})},
	}}
}

// mdnsDialogue repeats the query for a service (RFC 6762).
func mdnsDialogue(service string) *dialogue {
	b := u16s(nil, 0, 0, 1, 0, 0, 0)
	return &dialogue{proto: udp, port: 5353, bulk: bulkRepeat, msgs: []msg{{up: true, data: u16s(dnsName(b, service), 12, 1)}}}
}

// smbDialogue negotiates SMB 2 ([MS-SMB2] section 2.2.3) and continues with requests.
func smbDialogue() *dialogue {
	m := func(command byte, flags byte, n int) []byte {
		return block([]byte{0}, 3, func(b []byte) []byte {
			b = append(b, 0xfe, 'S', 'M', 'B', 64, 0, 1, 0, 0, 0, 0, 0, command, 0, 1, 0, flags)
			return append(b, make([]byte, 64-17+n)...)
		})
	}
	d := &dialogue{proto: tcp, port: 445, bulk: bulkSMB}
	for _, c := range []byte{0, 1, 1, 3, 5, 8} { // negotiate, two steps of the login, tree, open, read
		d.msgs = append(d.msgs, msg{up: true, data: m(c, 0, 60+int(c)*20)}, msg{data: m(c, 1, 80+int(c)*10)})
	}
	return d
}

// dhcp builds a message of a client, or to it (RFC 2131); xid is at its fourth byte, the MAC address at byte 28.
func dhcp(reply bool, kind byte, yours uint32, name, class string, params []byte) []byte {
	b := make([]byte, 236)
	b[0], b[1], b[2] = 1, 1, 6
	b = append(b, 0x63, 0x82, 0x53, 0x63, 53, 1, kind)
	if reply {
		b[0] = 2
		be.PutUint32(b[16:], yours)
		b = append(b, 54, 4, 10, 1, 0, 2, 51, 4, 0, 1, 0x51, 0x80)
	}
	option := func(code byte, v string) {
		if v != "" {
			b = block(append(b, code), 1, func(b []byte) []byte { return append(b, v...) })
		}
	}
	option(12, name)
	option(60, class)
	option(55, string(params))
	b = append(b, 255)
	return append(b, make([]byte, max(0, 300-len(b)))...)
}
