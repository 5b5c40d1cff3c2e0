// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "panasonic",
	Signs: "`00 01`, length of the datagram",
	Ports: "10669, 10670",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 130, First: "\x00\x00", Ports: []uint16{10669, 10670}, Looks: LooksPanasonic, New: Panasonic.New},
	},
})

// Panasonic is the discovery of Panasonic cameras: a request to UDP port 10670, an answer to 10669. The format is described by published
// clients.
var Panasonic = announce.Protocol{Name: "panasonic", Info: panasonicInfo}

// panasonicHead is the length of the header: 00 01, the length of the rest, the MAC address of the camera at 6, and that of the client at 12.
const panasonicHead = 52

// LooksPanasonic recognizes the header on the ports of the protocol: the length must be that of the datagram.
func LooksPanasonic(b []byte, ports dissect.Ports) bool {
	return ports.Has(10669, 10670) && len(b) >= panasonicHead && match.Prefix(b, "\x00\x01") == match.Yes &&
		int(binary.BigEndian.Uint16(b[2:])) == len(b)-panasonicHead
}

// panasonicInfo reads an answer: after one more byte, fields with a tag and a length of two bytes each.
func panasonicInfo(b []byte) *dissect.DeviceInfo {
	const address, longName, shortName, version, end = 0x20, 0xa7, 0xa8, 0xa9, 0xffff
	if len(b) <= panasonicHead+1 {
		return nil
	}
	info := &dissect.DeviceInfo{Vendor: "Panasonic", MAC: [6]byte(b[6:])}
	r := parse.Reader{B: b[panasonicHead+1:]}
	for len(r.B) > 0 && !r.Bad {
		tag := r.U16()
		if tag == end {
			break
		}
		switch value := r.Vec16(); {
		case tag == address:
			info.IP = parse.Addr4(value)
		case tag == longName, tag == shortName && info.Model == "":
			info.Model = announce.Text(value)
		case tag == version:
			info.Firmware = announce.Text(value)
		}
	}
	if info.Model == "" {
		return nil
	}
	return info
}
