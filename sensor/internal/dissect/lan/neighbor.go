// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"encoding/binary"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
)

// maxNeighborTLVs bounds the fields that are read of one announcement. Switches send up to some thirty.
const maxNeighborTLVs = 128

// ParseNeighbor reads an announcement to the neighbors on a link. body is an LLDPDU if lldp is set; otherwise it begins with LLC of a spanning
// tree, or the OUI and the protocol of SNAP, which are those of CDP, EDP, FDP or PVST. ok is false if it says nothing. What is cut or malformed ends the reading, and the fields before it count.
func ParseNeighbor(body []byte, lldp bool, etherSrc [6]byte) (m *dissect.NeighborMessage, ok bool) {
	m = &dissect.NeighborMessage{EtherSrc: etherSrc}
	switch {
	case lldp:
		m.Protocol = "lldp"
		ok = readLLDP(m, body)
	case len(body) < snapLen:
	case string(body[:len(llcSTP)]) == llcSTP:
		m.Protocol = "stp"
		ok = readSTP(m, body[len(llcSTP):])
	case string(body[:snapLen]) == snapPVST:
		m.Protocol = "stp"
		ok = readSTP(m, body[snapLen:])
	case body[1] == 0 && body[2] == 0x0c:
		m.Protocol = "cdp"
		ok = readCDP(m, body[snapLen:])
	case body[1] == 0xe0 && body[2] == 0x52:
		m.Protocol = "fdp"
		ok = readCDP(m, body[snapLen:])
	case body[1] == 0xe0 && body[2] == 0x2b:
		m.Protocol = "edp"
		ok = readEDP(m, body[snapLen:])
	}
	return m, ok
}

const snapLen = 5

// capability is a bit of a capabilities field and its name.
type capability struct {
	bit  uint32
	name string
}

// capabilities returns the names of the bits that are set, separated by commas.
func capabilities(bits uint32, names []capability) string {
	var set []string
	for _, c := range names {
		if bits&c.bit != 0 {
			set = append(set, c.name)
		}
	}
	return strings.Join(set, ",")
}

// lldpCapabilities is IEEE 802.1AB-2016 table 8-4.
var lldpCapabilities = []capability{{1 << 1, "repeater"}, {1 << 2, "bridge"}, {1 << 3, "wlan_ap"}, {1 << 4, "router"}, {1 << 5, "telephone"},
	{1 << 6, "docsis"}, {1 << 7, "station"}}

// readLLDP reads an LLDPDU (IEEE 802.1AB-2016 clause 8): TLVs with 7 bits of type and 9 bits of length.
func readLLDP(m *dissect.NeighborMessage, b []byte) bool {
	const end, chassis, name, description, caps, address, private = 0, 1, 5, 6, 7, 8, 127
	if len(b) < 2 || b[0]>>1 != chassis { // the chassis comes first
		return false
	}
	for range maxNeighborTLVs {
		if len(b) < 2 {
			break
		}
		kind, n := b[0]>>1, int(binary.BigEndian.Uint16(b)&0x1ff)
		if kind == end || len(b) < 2+n {
			break
		}
		v := b[2 : 2+n]
		b = b[2+n:]
		switch kind {
		case chassis:
			lldpChassis(m, v)
		case name:
			m.Name = announce.Text(v)
		case description:
			m.Description = announce.Description(v)
			if m.Firmware == "" {
				m.Firmware = announce.Version(v)
			}
		case caps:
			if n >= 4 {
				m.Class = capabilities(uint32(binary.BigEndian.Uint16(v[2:])), lldpCapabilities) // those in use
			}
		case address:
			if n >= 6 && v[0] == 5 && v[1] == ianaIPv4 && !m.IP.IsValid() {
				m.IP = dhcpAddr(v[2:6])
			}
		case private:
			lldpPrivate(m, v)
		}
	}
	return true
}

// ianaIPv4 is the number of IPv4 in the address families of IANA.
const ianaIPv4 = 1

// lldpChassis reads the chassis id: a MAC address, an IP address, or a name (IEEE 802.1AB-2016 clause 8.5.2).
func lldpChassis(m *dissect.NeighborMessage, v []byte) {
	const mac, network = 4, 5
	switch {
	case len(v) == 7 && v[0] == mac:
		m.MAC = [6]byte(v[1:])
	case len(v) == 6 && v[0] == network && v[1] == ianaIPv4:
		m.IP = dhcpAddr(v[2:])
	}
}

// lldpPrivate reads the inventory of LLDP-MED (ANSI/TIA-1057 section 10.2.6) and the MUD URL (RFC 8520 section 11). The inventory is more exact than
// the free text.
func lldpPrivate(m *dissect.NeighborMessage, v []byte) {
	const med, iana, mud = "\x00\x12\xbb", "\x00\x00\x5e", 1
	if len(v) < 5 {
		return
	}
	text := v[4:]
	switch oui, subtype := string(v[:3]), v[3]; {
	case oui == iana && subtype == mud:
		m.MUDURL = announce.Text(text)
	case oui == med:
		medInventory(m, subtype, text)
	}
}

func medInventory(m *dissect.NeighborMessage, subtype byte, text []byte) {
	const firmware, software, serial, manufacturer, model = 6, 7, 8, 9, 10
	switch s := announce.Text(text); subtype {
	case firmware: // of phones it is the boot loader, and the software revision what they run
		if m.Firmware == "" {
			m.Firmware = s
		}
	case software:
		m.Firmware = s
	case serial:
		m.Serial = s
	case manufacturer:
		m.Vendor = s
	case model:
		m.Model = s
	}
}

// cdpCapabilities are the bits of CDP and FDP.
var cdpCapabilities = []capability{{1 << 6, "repeater"}, {1<<1 | 1<<2 | 1<<3, "bridge"}, {1 << 0, "router"}, {1 << 7, "telephone"}, {1 << 4, "station"}}

// readCDP reads an announcement of CDP, versions 1 and 2, or of FDP, which has the same form: version, time to live, checksum, then fields of type, length with
// this head, value (Cisco, "Catalyst 6500 Release 12.2SX Software Configuration Guide", Configuring CDP).
func readCDP(m *dissect.NeighborMessage, b []byte) bool {
	const id, addresses, caps, software, platform, sysName, management = 1, 2, 4, 5, 6, 0x14, 0x16
	const headLen, fieldHead = 4, 4
	if len(b) < headLen+fieldHead || b[0] == 0 || b[0] > 2 {
		return false
	}
	b = b[headLen:]
	for range maxNeighborTLVs {
		if len(b) < fieldHead {
			break
		}
		kind, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if n < fieldHead || n > len(b) {
			break
		}
		v := b[fieldHead:n]
		b = b[n:]
		switch kind {
		case id:
			if m.Name == "" {
				m.Name = announce.Text(v)
			}
		case sysName:
			if s := announce.Text(v); s != "" {
				m.Name = s
			}
		case addresses, management:
			cdpAddress(m, v)
		case caps:
			if len(v) >= 4 {
				m.Class = capabilities(binary.BigEndian.Uint32(v), cdpCapabilities)
			}
		case software:
			m.Description, m.Firmware = announce.Description(v), announce.Version(v)
		case platform:
			m.Model = announce.Text(v)
		}
	}
	return m.Name != "" || m.Model != "" || m.Description != ""
}

// cdpAddress reads the first address of a list, if it is an IPv4 address: number of addresses; type, length and number of the protocol (NLPID cc);
// length and address.
func cdpAddress(m *dissect.NeighborMessage, v []byte) {
	if len(v) >= 13 && string(v[4:9]) == "\x01\x01\xcc\x00\x04" && !m.IP.IsValid() {
		m.IP = dhcpAddr(v[9:])
	}
}

// readEDP reads an announcement of EDP: version, a reserved byte, length, checksum, sequence number, type and MAC address of the machine, then fields that
// begin with 99 (type, length with this head, value).
func readEDP(m *dissect.NeighborMessage, b []byte) bool {
	const headLen, fieldHead, marker, display, info, version = 16, 4, 0x99, 1, 2, 16
	if len(b) < headLen+fieldHead || b[0] != 1 {
		return false
	}
	if binary.BigEndian.Uint16(b[8:]) == 0 {
		m.MAC = [6]byte(b[10:16])
	}
	b = b[headLen:]
	for range maxNeighborTLVs {
		if len(b) < fieldHead || b[0] != marker {
			break
		}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < fieldHead || n > len(b) {
			break
		}
		switch v := b[fieldHead:n]; b[1] {
		case display:
			m.Name = announce.Text(v)
		case info:
			if len(v) >= version {
				m.Firmware = dotted(v[version-4 : version])
			}
		}
		b = b[n:]
	}
	return m.Name != "" || m.Firmware != ""
}

// dotted returns bytes as decimal numbers with dots between them.
func dotted(b []byte) string {
	var out []byte
	for i, c := range b {
		if i > 0 {
			out = append(out, '.')
		}
		out = strconv.AppendUint(out, uint64(c), 10)
	}
	return string(out)
}
