// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "vivotek",
	Signs: "`4a 5d 8f 1c` behind a counter",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 120, Looks: LooksVivotek, New: Vivotek.New},
	},
})

// Vivotek is the discovery of Vivotek cameras, on UDP port 10000: a counter, a magic number, then fields with a type and a length of one byte
// each. The format is described by published clients.
var Vivotek = announce.Protocol{Name: "vivotek", Info: vivotekInfo}

const vivotekHead = 5

// LooksVivotek recognizes the magic number behind the counter.
func LooksVivotek(b []byte, _ dissect.Ports) bool {
	return len(b) >= vivotekHead && string(b[1:vivotekHead]) == "\x4a\x5d\x8f\x1c"
}

// vivotekInfo reads an answer. A field of type 4 is one byte without a length.
func vivotekInfo(b []byte) *dissect.DeviceInfo {
	const longName, mac, address, oneByte, shortName = 1, 2, 3, 4, 9
	if len(b) < vivotekHead {
		return nil
	}
	info := &dissect.DeviceInfo{Vendor: "Vivotek"}
	r := parse.Reader{B: b[vivotekHead:]}
	for len(r.B) > 0 && !r.Bad {
		kind := r.U8()
		if kind == oneByte {
			r.U8()
			continue
		}
		switch value := r.Vec8(); {
		case kind == longName:
			info.Name = announce.Text(value)
		case kind == mac && len(value) == 6:
			info.MAC = [6]byte(value)
		case kind == address:
			info.IP = parse.Addr4(value)
		case kind == shortName:
			info.Model = announce.Text(value)
		}
	}
	if info.Model == "" {
		return nil
	}
	return info
}
