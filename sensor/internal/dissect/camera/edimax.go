// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"bytes"
	"math/bits"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "edimax",
	Signs: "`<param>`, its bits rotated by as many as are added to the first byte",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 110, First: "<C", Looks: LooksEdimax, New: Edimax.New},
	},
})

// Edimax is the cloud protocol of cameras and plugs of Edimax: XML whose bits are rotated to the right in each byte, by as many as are added to
// the first byte (0 is in clear text). Ling et al., "Security Vulnerabilities of Internet of Things: A Case Study of the Smart Plug System", IEEE
// Internet of Things Journal 4(6), 2017, describe the messages.
var Edimax = announce.Protocol{Name: "edimax", Info: edimaxInfo}

const (
	edimaxStart = "<param>"
	edimaxMax   = 1500
)

// LooksEdimax recognizes the first element, rotated.
func LooksEdimax(b []byte, _ dissect.Ports) bool {
	if len(b) < len(edimaxStart) || b[0] < '<' || b[0] > '<'+7 {
		return false
	}
	for i := 1; i < len(edimaxStart); i++ {
		if bits.RotateLeft8(b[i], int(b[0]-'<')) != edimaxStart[i] {
			return false
		}
	}
	return true
}

// edimaxInfo reads the message in which a device registers at the cloud. The others name no model.
func edimaxInfo(b []byte) *dissect.DeviceInfo {
	const register = "1010"
	var room [edimaxMax]byte
	if len(b) > edimaxMax || !LooksEdimax(b, dissect.Ports{}) {
		return nil
	}
	text := room[:len(b)]
	for i, c := range b {
		text[i] = bits.RotateLeft8(c, int(b[0]-'<'))
	}
	if string(edimaxValue(text, "code")) != register {
		return nil
	}
	id := edimaxValue(text, "id")
	firmware, _, _ := bytes.Cut(edimaxValue(text, "devfwver"), []byte("#")) // that of the radio module follows
	info := &dissect.DeviceInfo{MAC: parse.MAC(id), IP: parse.Addr(edimaxValue(text, "lanip")), Model: announce.Text(edimaxValue(text, "model")),
		Class: announce.Text(edimaxValue(text, "type")), Serial: announce.Text(id), Firmware: announce.Text(firmware)}
	if vendor, _, ok := bytes.Cut(edimaxValue(text, "productid"), []byte("#")); ok { // vendor, model, hardware, firmware
		info.Vendor = announce.Text(vendor)
	}
	if info.Model == "" || info.Serial == "" {
		return nil
	}
	return info
}

// edimaxValue returns the value of an element: <model value="IC-3116W" />. It is empty if there is none.
func edimaxValue(text []byte, name string) []byte {
	var room [32]byte
	mark := append(append(append(room[:0], '<'), name...), ` value="`...)
	i := bytes.Index(text, mark)
	if i < 0 {
		return nil
	}
	text = text[i+len(mark):]
	end := bytes.IndexByte(text, '"')
	return text[:max(end, 0)]
}
