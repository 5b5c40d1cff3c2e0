// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/dns"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "nbdgm",
	Signs: "type of a NetBIOS datagram",
	Ports: "138",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 330, First: "\x10\x16", Ports: []uint16{138}, Looks: LooksNBDGM, New: NBDGM.New},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "nbns",
	Signs: "name of 32 letters, type of NetBIOS",
	Ports: "137",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 320, Ports: []uint16{137}, Looks: dns.LooksNBNS, New: NBNS.New},
	},
})

// NBNS is the name service of NetBIOS (RFC 1002 section 4.2): hosts register their names, and answer for them.
var NBNS = announce.Protocol{Name: "nbns", Info: nbnsInfo}

// NBDGM is the datagram service of NetBIOS (RFC 1002 section 4.4), over which hosts announce themselves to the browser service (MS-BRWS section 2.2).
var NBDGM = announce.Protocol{Name: "nbdgm", Info: nbdgmInfo}

// Suffixes of names, which say what a host is.
const (
	suffixWorkstation = 0x00
	suffixDomain      = 0x1c // domain controllers, a group
	suffixServer      = 0x20
)

// nbName is the length of a name without a scope: a length, 32 letters, the end.
const nbName = 34

// netBIOSName decodes a name at the start of b (RFC 1001 section 14.1): each byte is two letters, the last one is the suffix.
func netBIOSName(b []byte) (name string, suffix byte, ok bool) {
	if len(b) < nbName || b[0] != nbName-2 {
		return "", 0, false
	}
	var raw [16]byte
	for i := range raw {
		hi, lo := b[1+2*i]-'A', b[2+2*i]-'A'
		if hi > 15 || lo > 15 {
			return "", 0, false
		}
		raw[i] = hi<<4 | lo
	}
	name, ok = plainName(raw[:15])
	return name, raw[15], ok
}

// plainName returns the name of a host in 15 bytes that are padded with spaces. ok is false for the names of services, which begin with control characters
// or a star.
func plainName(b []byte) (name string, ok bool) {
	b = bytes.TrimRight(b, " \x00")
	if len(b) == 0 || b[0] < ' ' || b[0] == '*' {
		return "", false
	}
	return announce.Text(b), true
}

// nbnsInfo reads a registration or a refresh of a name, the answer to a query, and the status of a node. IP is the address that the message gives
// for the name: a name server answers for others.
func nbnsInfo(b []byte) *dissect.DeviceInfo {
	const headLen, response, codes, nb, status = 12, 0x8000, 0x000f, 0x20, 0x21
	const query, register, refresh, refreshToo, multihomed = 0, 5, 8, 9, 15
	if len(b) < headLen+nbName+4 {
		return nil
	}
	flags := binary.BigEndian.Uint16(b[2:])
	name, suffix, ok := netBIOSName(b[headLen:])
	rest := b[headLen+nbName:]
	kind := binary.BigEndian.Uint16(rest)
	switch op := flags >> 11 & 15; {
	case flags&response != 0 && (flags&codes != 0 || op != query):
		return nil
	case flags&response != 0 && kind == status:
		return nodeStatus(rest[4:])
	case !ok || kind != nb:
		return nil
	case flags&response != 0:
		return ofName(name, suffix, rest[4:])
	case op == register || op == refresh || op == refreshToo || op == multihomed:
		rest = rest[4:] // an additional record repeats the name, mostly by a pointer
		switch {
		case len(rest) > 2 && rest[0] >= 0xc0:
			rest = rest[2:]
		case len(rest) > nbName:
			rest = rest[nbName:]
		}
		if len(rest) < 4 {
			return nil
		}
		return ofName(name, suffix, rest[4:])
	}
	return nil
}

// ofName returns what the data of a record says: time to live, length, flags, address. Of the names of groups, only that of domain controllers
// says something of the host.
func ofName(name string, suffix byte, b []byte) *dissect.DeviceInfo {
	const group = 0x80
	if len(b) < 12 {
		return nil
	}
	d := &dissect.DeviceInfo{Name: name, IP: dhcpAddr(b[8:12])}
	switch {
	case b[6]&group != 0 && suffix == suffixDomain:
		d.Name, d.Class = "", "domain_controller"
	case b[6]&group != 0 || suffix != suffixWorkstation && suffix != suffixServer:
		return nil
	}
	return d
}

// nodeStatus reads the names that a host has, and its MAC address (RFC 1002 section 4.2.18).
func nodeStatus(b []byte) *dissect.DeviceInfo {
	const before, entry = 7, 18 // time to live, length, number of names; name, suffix, flags
	if len(b) < before {
		return nil
	}
	n := int(b[before-1])
	b = b[before:]
	d := &dissect.DeviceInfo{}
	for ; n > 0 && len(b) >= entry; n-- {
		switch group := b[16]&0x80 != 0; {
		case group && b[15] == suffixDomain:
			d.Class = "domain_controller"
		case !group && b[15] == suffixWorkstation && d.Name == "":
			d.Name, _ = plainName(b[:15])
		}
		b = b[entry:]
	}
	if n == 0 && len(b) >= 6 {
		d.MAC = [6]byte(b)
	}
	if d.Name == "" {
		return nil
	}
	return d
}

// LooksNBDGM recognizes a datagram of NetBIOS by its type and the length that it states. The table binds it to the port.
func LooksNBDGM(b []byte, _ dissect.Ports) bool {
	const direct, negative, headLen = 0x10, 0x16, 10
	return len(b) > headLen && b[0] >= direct && b[0] <= negative && b[1]&0xf0 == 0
}

// nbdgmInfo reads the announcement of a host, or of the local master browser, in a transaction of SMB to the mail slot of the browser service
// (MS-BRWS sections 2.2.1 and 2.2.6).
func nbdgmInfo(b []byte) *dissect.DeviceInfo {
	const headLen, unique, broadcast = 14, 0x10, 0x12
	const smbLen, dataLength, dataOffset = 32, 55, 57
	if len(b) < headLen+2*nbName+smbLen || b[0] < unique || b[0] > broadcast {
		return nil
	}
	smb := b[headLen+2*nbName:]
	if !bytes.HasPrefix(smb, []byte("\xffSMB\x25")) || !bytes.Contains(smb, []byte("\\MAILSLOT\\BROWSE\x00")) || len(smb) < dataOffset+2 {
		return nil
	}
	at, n := int(binary.LittleEndian.Uint16(smb[dataOffset:])), int(binary.LittleEndian.Uint16(smb[dataLength:]))
	if at > len(smb) {
		return nil
	}
	return hostAnnouncement(smb[at:min(len(smb), at+n)])
}

// serverTypes are flags of an announcement (MS-BRWS section 2.2.1, ServerType).
var serverTypes = []capability{{0x18, "domain_controller"}, {0x04, "sql_server"}, {0x0200, "print_server"}, {0x0800, "unix"}, {0x8000, "nt_server"},
	{0x1000, "nt_workstation"}, {0x0040_0000, "windows_9x"}}

// hostAnnouncement reads the announcement itself: the class has its server type and the version of the operating system, the free text is its comment.
func hostAnnouncement(b []byte) *dissect.DeviceInfo {
	const host, local, name, version, kind, comment = 0x01, 0x0f, 6, 22, 24, 32
	if len(b) < comment || b[0] != host && b[0] != local {
		return nil
	}
	d := &dissect.DeviceInfo{Description: announce.Description(b[comment:])}
	d.Name, _ = plainName(bytes.TrimRight(b[name:name+16], "\x00"))
	system := "os_" + strconv.Itoa(int(b[version])) + "." + strconv.Itoa(int(b[version+1]))
	d.Class = strings.TrimPrefix(capabilities(binary.LittleEndian.Uint32(b[kind:]), serverTypes)+","+system, ",")
	return d
}
