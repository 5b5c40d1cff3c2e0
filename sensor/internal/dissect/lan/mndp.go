// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "mndp",
	Signs: "MAC address as first field, fields to the end of the datagram; request",
	Ports: "5678",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 150, First: "\x00\xff", Ports: []uint16{5678}, Looks: LooksMNDP, New: MNDP.New},
	},
})

// MNDP is the neighbor discovery of MikroTik, on UDP port 5678: two bytes of header, two of a sequence number, then fields with a type and a
// length of two bytes each. Published clients describe the fields.
var MNDP = announce.Protocol{Name: "mndp", Info: mndpInfo}

const mndpHead = 4

// The fields of MNDP that are read.
const (
	mndpMAC      = 1
	mndpIdentity = 5
	mndpVersion  = 7
	mndpPlatform = 8
	mndpBoard    = 12
	mndpIPv4     = 17
)

// LooksMNDP recognizes a request, which is four zeros, and an announcement, whose first field is the MAC address and whose fields fill the
// datagram.
func LooksMNDP(b []byte, _ dissect.Ports) bool {
	if len(b) <= mndpHead {
		return string(b) == "\x00\x00\x00\x00"
	}
	r := parse.Reader{B: b[mndpHead:]}
	if r.U16() != mndpMAC || len(r.Vec16()) != 6 {
		return false
	}
	for len(r.B) > 0 {
		r.U16()
		r.Vec16()
	}
	return !r.Bad
}

// mndpInfo reads the fields of an announcement.
func mndpInfo(b []byte) *dissect.DeviceInfo {
	if len(b) <= mndpHead {
		return nil
	}
	info := new(dissect.DeviceInfo)
	r := parse.Reader{B: b[mndpHead:]}
	for len(r.B) > 0 && !r.Bad {
		kind := r.U16()
		switch value := r.Vec16(); {
		case kind == mndpMAC && len(value) == 6:
			info.MAC = [6]byte(value)
		case kind == mndpIdentity:
			info.Name = announce.Text(value)
		case kind == mndpVersion:
			info.Firmware, info.FirmwareDate = announce.Text(value), announce.BuildDate(value)
		case kind == mndpPlatform:
			info.Vendor = announce.Text(value)
		case kind == mndpBoard:
			info.Model = announce.Text(value)
		case kind == mndpIPv4 && len(value) == 4:
			info.IP = parse.Addr4(value)
		}
	}
	return info
}
