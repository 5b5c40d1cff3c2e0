// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "ubiquiti",
	Signs: "version, length of the datagram, fields to its end",
	Ports: "10001",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 140, First: "\x01\x02", Ports: []uint16{10001}, Looks: LooksUbiquiti, New: Ubiquiti.New},
	},
})

// Ubiquiti is the discovery of Ubiquiti devices, on UDP port 10001: the version, the command, the length of the rest, then fields with a type
// of one byte and a length of two. The format is described by published clients.
var Ubiquiti = announce.Protocol{Name: "ubiquiti", Info: ubiquitiInfo}

const ubiquitiHead = 4

// LooksUbiquiti recognizes versions 1 and 2 on the port of the protocol: the length must be that of the datagram, and the fields must fill
// it.
func LooksUbiquiti(b []byte, ports dissect.Ports) bool {
	const request, answer1, search, answer2 = 0, 0, 8, 6
	if !ports.Has(10001) || len(b) < ubiquitiHead || int(binary.BigEndian.Uint16(b[2:])) != len(b)-ubiquitiHead {
		return false
	}
	if kind := b[1]; b[0] == 1 && kind != request && kind != answer1 || b[0] == 2 && kind != search && kind != answer2 || b[0] < 1 || b[0] > 2 {
		return false
	}
	r := parse.Reader{B: b[ubiquitiHead:]}
	for len(r.B) > 0 {
		r.U8()
		r.Vec16()
	}
	return !r.Bad
}

// ubiquitiInfo reads the fields of an answer.
func ubiquitiInfo(b []byte) *dissect.DeviceInfo {
	const mac, macAndIP, firmware, name, platform, longModel, model = 0x01, 0x02, 0x03, 0x0b, 0x0c, 0x14, 0x15
	if len(b) < ubiquitiHead {
		return nil
	}
	info := &dissect.DeviceInfo{Vendor: "Ubiquiti"}
	r := parse.Reader{B: b[ubiquitiHead:]}
	for len(r.B) > 0 && !r.Bad {
		kind := r.U8()
		switch value := r.Vec16(); {
		case kind == mac && len(value) == 6:
			info.MAC = [6]byte(value)
		case kind == macAndIP && len(value) == 10:
			info.IP = parse.Addr4(value[6:])
			if info.MAC == [6]byte{} {
				info.MAC = [6]byte(value)
			}
		case kind == firmware:
			info.Firmware = announce.Text(value)
		case kind == name:
			info.Name = announce.Text(value)
		case kind == platform:
			info.Class = announce.Text(value)
		case kind == longModel, kind == model && info.Model == "":
			info.Model = announce.Text(value)
		}
	}
	if info.Model == "" {
		info.Model = info.Class
	}
	if info.Model == "" && info.Firmware == "" {
		return nil
	}
	return info
}
