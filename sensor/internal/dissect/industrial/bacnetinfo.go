// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "bacnet",
	Signs: "`81`, function, length of the datagram, version of the network layer",
	Ports: "47808 for other functions than messages",
	Reads: "identity: vendor, model, firmware, name",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 500, First: "\x81\x81", Looks: LooksBACnet, New: BACnet.New},
	},
})

// BACnet reads what devices say of themselves: the announcement I-Am, and answers to ReadProperty of a device (ASHRAE 135, clauses 16.10 and
// 15.5).
var BACnet = announce.Protocol{Name: "bacnet", Info: bacnetInfo}

// deviceObject is the type of the object of BACnet that describes a device, in the upper ten bits of its identifier.
const deviceObject = 8

func bacnetInfo(b []byte) *dissect.DeviceInfo {
	const unconfirmed, complexAck, iAm, readProperty = 1, 3, 0, 12
	m := bacnetMessage(b)
	switch {
	case len(m) > 2 && m[0]>>4 == unconfirmed && m[1] == iAm:
		return bacnetIAm(m[2:])
	case len(m) > 3 && m[0]>>4 == complexAck && m[2] == readProperty:
		return bacnetProperty(m[3:])
	}
	return nil
}

// bacnetMessage returns the message of the application, behind the headers of BACnet/IP and of the network layer (clause 6.2), nil if there is
// none.
func bacnetMessage(b []byte) []byte {
	const forwarded, network, destination, source = 0x04, 0x80, 0x20, 0x08
	at := 4
	if len(b) > 1 && b[1] == forwarded {
		at = 10
	}
	if len(b) < at+2 || b[at+1]&network != 0 {
		return nil
	}
	control := b[at+1]
	b = b[at+2:]
	for _, bit := range [...]byte{destination, source} {
		if control&bit != 0 {
			if len(b) < 3 || len(b) < 3+int(b[2]) {
				return nil
			}
			b = b[3+int(b[2]):]
		}
	}
	if control&destination != 0 { // the hop count
		if len(b) == 0 {
			return nil
		}
		b = b[1:]
	}
	return b
}

// bacnetIAm reads identifier of the device, longest message, segmentation and number of the vendor.
func bacnetIAm(b []byte) *dissect.DeviceInfo {
	const identifier, unsigned8, unsigned16, enumerated = 0xc4, 0x21, 0x22, 0x91
	if len(b) < 5 || b[0] != identifier || binary.BigEndian.Uint32(b[1:])>>22 != deviceObject {
		return nil
	}
	var vendor int
	for b = b[5:]; len(b) >= 2; {
		switch {
		case b[0] == unsigned8 || b[0] == enumerated:
			vendor, b = int(b[1]), b[2:]
		case b[0] == unsigned16 && len(b) >= 3:
			vendor, b = int(binary.BigEndian.Uint16(b[1:])), b[3:]
		default:
			return nil
		}
	}
	return &dissect.DeviceInfo{Class: "device", Vendor: bacnetVendors[vendor]}
}

// bacnetProperty reads object, property and value: a text in UTF-8.
func bacnetProperty(b []byte) *dissect.DeviceInfo {
	const object, property, opening, text, longText, utf8 = 0x0c, 0x19, 0x3e, 7, 5, 0
	const description, firmware, model, name, vendor = 28, 44, 70, 77, 121
	if len(b) < 10 || b[0] != object || binary.BigEndian.Uint32(b[1:])>>22 != deviceObject || b[5] != property || b[7] != opening || b[8]>>4 != text {
		return nil
	}
	size, value := int(b[8]&7), b[9:]
	if size == longText {
		size, value = int(value[0]), value[1:]
	}
	if size < 2 || size > len(value) || value[0] != utf8 {
		return nil
	}
	d, s := new(dissect.DeviceInfo), announce.Text(value[1:size])
	switch b[6] {
	case description:
		d.Description = s
	case firmware:
		d.Firmware = s
	case model:
		d.Model = s
	case name:
		d.Name = s
	case vendor:
		d.Vendor = s
	default:
		return nil
	}
	return d
}

// bacnetVendors has the names of some vendors by the number that ASHRAE gave them.
var bacnetVendors = map[int]string{
	2: "Trane", 5: "Johnson Controls", 7: "Siemens", 8: "Delta Controls", 9: "Automated Logic", 10: "Schneider Electric", 16: "Carrier", 17: "Honeywell",
	18: "Alerton", 35: "Reliable Controls", 36: "Tridium",
}
