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
	Name:  "pppp",
	Signs: "`f1`, type, length of the datagram; between peers: id of a device, data, acknowledgement, keep-alive",
	Ports: "32100, 32108 for messages with servers",
	Reads: "identity",
	Login: protocol.LoginUnread,
	Datagrams: []protocol.Datagram{
		{Order: 580, First: "\xf1\xf1", Ports: []uint16{32100, 32108}, Looks: LooksPPPP, New: PPPP.New},
		{Order: 590, First: "\xf1\xf1", Looks: LooksPPPPSession, New: PPPP.New},
	},
})

// LooksPPPP recognizes the peer-to-peer protocol of cheap cameras on its ports: f1, a type, the length of the rest.
func LooksPPPP(b []byte, _ dissect.Ports) bool {
	return len(b) >= ppppHead && b[0] == 0xf1 && int(binary.BigEndian.Uint16(b[2:])) == len(b)-ppppHead
}

const ppppHead = 4

// LooksPPPPSession recognizes a session between two peers, which use any ports: messages with the id of a device, data and acknowledgements,
// and keep-alives.
func LooksPPPPSession(b []byte, ports dissect.Ports) bool {
	const punch, ready, data, ack, alive, aliveAck, mark = 0x41, 0x42, 0xd0, 0xd1, 0xe0, 0xe1, 0xd1
	if !LooksPPPP(b, ports) {
		return false
	}
	switch body := b[ppppHead:]; b[1] {
	case punch, ready: // the id, and in newer versions that of the software
		return (len(body) == 20 || len(body) == 24) && ppppPrefix(b) != nil
	case data: // mark, channel, number
		return len(body) > 4 && body[0] == mark && body[1] < 8
	case ack: // mark, channel, count, numbers
		return len(body) >= 6 && body[0] == mark && body[1] < 8 && 4+2*int(binary.BigEndian.Uint16(body[2:])) == len(body)
	case alive, aliveAck:
		return len(body) == 0
	}
	return false
}

// PPPP is the peer-to-peer protocol of cheap cameras (CS2 Network; messages as the published dissector of P. Marrapese names them).
var PPPP = announce.Protocol{Name: "pppp", Info: ppppInfo}

// ppppInfo reads the messages that only a device sends: DEV_LGN and DEV_LGN_KEY to the servers, LAN_NOTIFY to the network. An id of a device
// follows: prefix in 8 bytes, number in 4, check letters in 8. Only the prefix is kept, as Class: who knows the id can reach the device.
func ppppInfo(b []byte) *dissect.DeviceInfo {
	const devLogin, devLoginKey, lanNotify = 0x10, 0x14, 0x31
	if len(b) < ppppHead || b[1] != devLogin && b[1] != devLoginKey && b[1] != lanNotify {
		return nil
	}
	if prefix := ppppPrefix(b); prefix != nil {
		return &dissect.DeviceInfo{Class: string(prefix)}
	}
	return nil
}

// ppppPrefix returns the prefix of the id in a message, nil if no id follows the header.
func ppppPrefix(b []byte) []byte {
	const prefix, number, check, end = 4, 12, 16, 24
	if len(b) < end {
		return nil
	}
	if id := parse.CString(b[prefix:number]); isCapitals(id) && isCapitals(parse.CString(b[check:end])) {
		return id
	}
	return nil
}

// isCapitals reports whether a text has three letters or more, all of them capitals.
func isCapitals(s []byte) bool {
	for _, c := range s {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return len(s) >= 3
}
