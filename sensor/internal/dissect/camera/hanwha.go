// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"bytes"
	"net/netip"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "hanwha",
	Signs: "`0b`, MAC and IPv4 address as text",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 90, First: "\x0b\x0b", Looks: LooksHanwha, New: Hanwha.New},
	},
})

// Hanwha is the discovery of Hanwha (Samsung Techwin) cameras: a request to UDP port 7701, an answer to 7711. The format is described by
// published clients.
var Hanwha = announce.Protocol{Name: "hanwha", Info: hanwhaInfo}

// Offsets in an answer. All texts end in a NUL byte.
const (
	hanwhaMAC, hanwhaIP, hanwhaMask, hanwhaModel, hanwhaModelEnd, hanwhaLength = 19, 37, 53, 109, 119, 262
)

// LooksHanwha recognizes an answer by its type 0b, and by the MAC address and the IPv4 address, which are text. A request has no marks of its
// own.
func LooksHanwha(b []byte, _ dissect.Ports) bool {
	if len(b) < hanwhaLength || b[0] != 0x0b || b[hanwhaIP-1] != 0 || b[hanwhaMask-1] != 0 {
		return false
	}
	return bytes.Count(b[hanwhaMAC:hanwhaIP], []byte(":")) == 5 && parse.MAC(b[hanwhaMAC:hanwhaIP-1]) != [6]byte{} && hanwhaAddr(b).Is4()
}

func hanwhaAddr(b []byte) netip.Addr { return parse.Addr(parse.CString(b[hanwhaIP:hanwhaMask])) }

func hanwhaInfo(b []byte) *dissect.DeviceInfo {
	if !LooksHanwha(b, dissect.Ports{}) {
		return nil
	}
	return &dissect.DeviceInfo{Vendor: "Hanwha", MAC: parse.MAC(b[hanwhaMAC : hanwhaIP-1]), IP: hanwhaAddr(b), Model: announce.Text(b[hanwhaModel:hanwhaModelEnd])}
}
