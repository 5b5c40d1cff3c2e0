// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/parse"
)

// maxVariables bounds the variables that are read of one message.
const maxVariables = 64

const (
	tagOctets   = 0x04
	tagOID      = 0x06
	tagSequence = 0x30
)

// Objects that describe an agent, as the contents of their BER element: 2b is 1.3. Some are columns of tables, of which any row counts.
const (
	oidSystem     = "\x2b\x06\x01\x02\x01\x01"                 // SNMPv2-MIB (RFC 3418): sysDescr 1, sysObjectID 2, sysName 5
	oidDevice     = "\x2b\x06\x01\x02\x01\x19\x03\x02\x01\x03" // HOST-RESOURCES-MIB (RFC 2790): hrDeviceDescr
	oidPrinter    = "\x2b\x06\x01\x02\x01\x2b\x05\x01\x01"     // Printer-MIB (RFC 3805): prtGeneralEntry, serial number 17
	oidEntity     = "\x2b\x06\x01\x02\x01\x2f\x01\x01\x01\x01" // ENTITY-MIB (RFC 6933): firmware 9, software 10, serial number 11, manufacturer 12, model 13
	oidEnterprise = "\x2b\x06\x01\x04\x01"                     // enterprises
	oidTrap       = "\x2b\x06\x01\x06\x03\x01\x01\x04\x03\x00" // SNMPv2-MIB: snmpTrapEnterprise.0
)

// snmpVariables reads what the variables of an answer or a trap say of the agent (RFC 3416 section 3), nil if nothing.
func snmpVariables(list []byte) *dissect.DeviceInfo {
	var d dissect.DeviceInfo
	readVariables(&d, list)
	return snmpDevice(d)
}

func readVariables(d *dissect.DeviceInfo, list []byte) {
	for range maxVariables {
		pair, rest, ok := parse.BERTagged(list, tagSequence)
		if !ok {
			break
		}
		list = rest
		if name, value, ok := parse.BERTagged(pair, tagOID); ok {
			snmpVariable(d, string(name[:min(len(name), 64)]), value)
		}
	}
}

// snmpTrap reads a trap of version 1 (RFC 1157 section 4.1.6): the enterprise of the agent, its address, kind, specific kind, time, variables.
func snmpTrap(b []byte) *dissect.DeviceInfo {
	var d dissect.DeviceInfo
	id, _, ok := parse.BERTagged(b, tagOID)
	if !ok {
		return nil
	}
	snmpObjectID(&d, id)
	for range 5 {
		if _, _, b, ok = parse.BERNext(b); !ok {
			return snmpDevice(d)
		}
	}
	list, _, _ := parse.BERTagged(b, tagSequence)
	readVariables(&d, list)
	return snmpDevice(d)
}

// snmpDevice returns d with its protocol, nil if d is empty.
func snmpDevice(d dissect.DeviceInfo) *dissect.DeviceInfo {
	if d == (dissect.DeviceInfo{}) {
		return nil
	}
	d.Protocol = "snmp"
	return &d
}

func snmpVariable(d *dissect.DeviceInfo, name string, value []byte) {
	tag, v, _, ok := parse.BERNext(value)
	switch {
	case !ok:
	case tag == tagOID && (name == oidSystem+"\x02\x00" || name == oidTrap):
		snmpObjectID(d, v)
	case tag != tagOctets:
	case name == oidSystem+"\x01\x00":
		d.Description = announce.Description(v)
		if d.Firmware == "" {
			d.Firmware = announce.Version(v)
		}
	case name == oidSystem+"\x05\x00":
		d.Name = announce.Text(v)
	case strings.HasPrefix(name, oidDevice) && d.Model == "" && strings.HasSuffix(name, "\x01"): // of a printer the first device is itself
		d.Model = announce.Text(v)
	case strings.HasPrefix(name, oidPrinter+"\x11"):
		d.Serial = announce.Text(v)
	case strings.HasPrefix(name, oidEntity) && len(name) > len(oidEntity):
		snmpEntity(d, name[len(oidEntity)], announce.Text(v))
	}
}

// snmpEntity reads a column of entPhysicalTable. The chassis comes first, its modules follow.
func snmpEntity(d *dissect.DeviceInfo, column byte, text string) {
	const firmware, software, serial, vendor, model = 9, 10, 11, 12, 13
	field := map[byte]*string{firmware: &d.Firmware, software: &d.Firmware, serial: &d.Serial, vendor: &d.Vendor, model: &d.Model}[column]
	if field != nil && *field == "" {
		*field = text
	}
}

// snmpObjectID keeps an object identifier as the class, and the vendor of its enterprise number.
func snmpObjectID(d *dissect.DeviceInfo, v []byte) {
	const longest = 32
	ids, ok := objectID(v)
	if !ok || len(ids) > longest {
		return
	}
	var text []byte
	for i, n := range ids {
		if i > 0 {
			text = append(text, '.')
		}
		text = strconv.AppendUint(text, uint64(n), 10)
	}
	d.Class = announce.Text(text)
	if strings.HasPrefix(string(v), oidEnterprise) {
		d.Vendor = announce.Enterprise(ids[6])
	}
}

// objectID returns the numbers of an object identifier (X.690 section 8.19). ok is false if it is malformed or has fewer than 7 numbers.
func objectID(v []byte) (ids []uint32, ok bool) {
	const most = 128
	if len(v) == 0 || len(v) > most {
		return nil, false
	}
	n := uint32(0)
	for i, c := range v {
		if i == 0 {
			ids = append(ids, uint32(min(c/40, 2)), uint32(c-min(c/40, 2)*40))
			continue
		}
		if n >= 1<<25 {
			return nil, false
		}
		if n = n<<7 | uint32(c&0x7f); c&0x80 == 0 {
			ids, n = append(ids, n), 0
		}
	}
	return ids, len(ids) > 6 && v[len(v)-1]&0x80 == 0
}

// snmpEngine reads the id of the authoritative engine in a message of version 3 (RFC 3412 section 6, RFC 3414 section 2.4): the enterprise number of the agent and,
// of its forms, a MAC or an IPv4 address (RFC 3411 section 5, SnmpEngineID).
func snmpEngine(b []byte) *dissect.DeviceInfo {
	const version3, usm = 3, 3
	seq, _, ok := parse.BERTagged(b, tagSequence)
	if !ok {
		return nil
	}
	version, rest, ok := parse.BERInteger(seq, 2)
	if !ok || version != version3 {
		return nil
	}
	header, rest, ok := parse.BERTagged(rest, tagSequence)
	if !ok {
		return nil
	}
	for range 2 { // message id, longest message; flags and the security model follow
		if _, header, ok = parse.BERInteger(header, 2); !ok {
			return nil
		}
	}
	if _, header, ok = parse.BERTagged(header, tagOctets); !ok {
		return nil
	}
	if model, _, ok := parse.BERInteger(header, 2); !ok || model != usm {
		return nil
	}
	params, _, ok := parse.BERTagged(rest, tagOctets)
	if !ok {
		return nil
	}
	params, _, ok = parse.BERTagged(params, tagSequence)
	if !ok {
		return nil
	}
	id, _, ok := parse.BERTagged(params, tagOctets)
	if !ok {
		return nil
	}
	return engineID(id)
}

func engineID(id []byte) *dissect.DeviceInfo {
	const shortest, longest, byRFC3411, ipv4, mac = 5, 32, 0x80, 1, 3
	if len(id) < shortest || len(id) > longest {
		return nil
	}
	var d dissect.DeviceInfo
	d.Vendor = announce.Enterprise(binary.BigEndian.Uint32(id) &^ (1 << 31))
	if id[0]&byRFC3411 != 0 {
		switch rest := id[5:]; {
		case id[4] == mac && len(rest) == 6:
			d.MAC = [6]byte(rest)
		case id[4] == ipv4 && len(rest) == 4:
			d.IP = parse.Addr4(rest)
		}
	}
	return snmpDevice(d)
}

// maxSNMPInfos is how much a session reports of agents.
const maxSNMPInfos = 8

// report reports what is new of an agent.
func (s *snmpDatagrams) report(d *dissect.DeviceInfo, sink dissect.Sink) {
	if d == nil || len(s.infos) == maxSNMPInfos || slices.Contains(s.infos, *d) {
		return
	}
	s.infos = append(s.infos, *d)
	sink(d)
}
