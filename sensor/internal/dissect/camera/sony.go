// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "sony",
	Signs: "`02`, first field `MAC:` or `ENQ:`, `03`",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 80, First: "\x02\x02", Looks: LooksSony, New: Sony.New},
	},
})

// Sony is the discovery of Sony cameras, on UDP port 2380: between 02 and 03, fields "NAME:value" that end in ff. The format is described by
// published clients.
var Sony = announce.Protocol{Name: "sony", Info: sonyInfo}

// LooksSony recognizes a search and an answer by their first field.
func LooksSony(b []byte, _ dissect.Ports) bool {
	return match.AnyPrefix(b, "\x02MAC:", "\x02ENQ:") == match.Yes && b[len(b)-1] == 3
}

func sonyInfo(b []byte) *dissect.DeviceInfo {
	if match.Prefix(b, "\x02MAC:") != match.Yes {
		return nil
	}
	info := &dissect.DeviceInfo{Vendor: "Sony"}
	for rest := b[1 : len(b)-1]; len(rest) > 0; {
		var field []byte
		field, rest, _ = bytes.Cut(rest, []byte{0xff})
		key, value, _ := bytes.Cut(field, []byte(":"))
		switch string(key) {
		case "MAC":
			info.MAC = parse.MAC(value)
		case "MODEL":
			info.Model = announce.Text(value)
		case "SERIAL":
			info.Serial = announce.Text(value)
		case "IPADR":
			info.IP = parse.Addr(value)
		case "SOFTVERSION":
			info.Firmware = announce.Text(value)
		}
	}
	if info.Model == "" {
		return nil
	}
	return info
}
