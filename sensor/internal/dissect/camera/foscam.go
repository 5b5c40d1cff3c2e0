// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"encoding/binary"
	"fmt"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "foscam",
	Signs: "`MO_I`, length of the datagram",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 70, First: "MM", Looks: LooksFoscam, New: Foscam.New},
	},
})

// Foscam is the search protocol of Foscam cameras and others with the same software, on UDP port 10000 ("IP Camera communication protocol",
// section on the search protocol).
var Foscam = announce.Protocol{Name: "foscam", Info: foscamInfo}

// foscamHead is the length of the header: MO_I, the operation, and at 15 the length of the text, in little endian.
const foscamHead, foscamSize = 23, 15

// LooksFoscam recognizes the magic number with the length of the datagram.
func LooksFoscam(b []byte, _ dissect.Ports) bool {
	return len(b) >= foscamHead && match.Prefix(b, "MO_I") == match.Yes && uint64(binary.LittleEndian.Uint32(b[foscamSize:])) == uint64(len(b)-foscamHead)
}

// foscamInfo reads an answer: the serial number in 13 bytes, mostly the MAC address, the name in 21, four addresses, 4 unused bytes, and the
// version of the system in 4. Byte 6 is not zero if the text is encrypted.
func foscamInfo(b []byte) *dissect.DeviceInfo {
	const found = 1 // the operation
	const serial, name, address, version, length = 0, 13, 34, 54, 62
	if len(b) < foscamHead+length || binary.LittleEndian.Uint16(b[4:]) != found || b[6] != 0 {
		return nil
	}
	text := b[foscamHead:]
	v := text[version:]
	return &dissect.DeviceInfo{
		Vendor: "Foscam", Serial: announce.Text(text[serial:name]), MAC: parse.MAC(parse.CString(text[serial:name])), Model: announce.Text(text[name:address]),
		IP: parse.Addr4(text[address:]), Firmware: fmt.Sprintf("%d.%d.%d.%d", v[0], v[1], v[2], v[3]),
	}
}
