// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "bosch",
	Signs: "`99 39 a4 27` and the length of a request or an answer; XML with the elements of an answer",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 100, First: "\x99\x99<<", Looks: LooksBosch, New: Bosch.New},
	},
})

// Bosch is the discovery of Bosch cameras: a request to UDP port 1757 and an answer to 1758, which is XML, or binary from older devices. The
// format is described by published clients.
var Bosch = announce.Protocol{Name: "bosch", Info: boschInfo}

// boschMagic begins a request, and an answer in binary.
const boschMagic = "\x99\x39\xa4\x27"

// LooksBosch recognizes the magic number with the length of a request or an answer, and XML with the elements of an answer.
func LooksBosch(b []byte, _ dissect.Ports) bool {
	const request, answer = 12, 32
	if match.Prefix(b, boschMagic) == match.Yes {
		return len(b) == request || len(b) == answer
	}
	return match.AnyPrefix(b, "<?xml", "<root") == match.Yes && parse.FoldContains(b, "<physaddress>") && parse.FoldContains(b, "<unitipaddress>") &&
		parse.FoldContains(b, "<rcpport>")
}

// boschInfo reads an answer. One in binary has the MAC address at 8 and the IPv4 address at 16, and no model. Element friendlyName is the
// model; the operator gives the unitName.
func boschInfo(b []byte) *dissect.DeviceInfo {
	const mac, address, length = 8, 16, 32
	if match.Prefix(b, boschMagic) == match.Yes {
		if len(b) != length {
			return nil
		}
		return &dissect.DeviceInfo{Vendor: "Bosch", MAC: [6]byte(b[mac:]), IP: parse.Addr4(b[address:])}
	}
	return &dissect.DeviceInfo{
		MAC: parse.MAC(parse.Element(b, "physaddress")), IP: parse.Addr(parse.Element(b, "unitipaddress")), Vendor: "Bosch",
		Model: announce.Text(parse.Element(b, "friendlyname")), Name: announce.Text(parse.Element(b, "unitname")),
		Serial: announce.Text(parse.Element(b, "serialnumber")), Class: announce.Text(parse.Element(b, "devicetype")),
	}
}
