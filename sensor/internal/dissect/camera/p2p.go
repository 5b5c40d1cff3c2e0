// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/parse"
)

// LooksTuya recognizes the broadcasts of Tuya devices by the magic numbers at both ends.
func LooksTuya(b []byte, _ dissect.Ports) bool {
	return len(b) >= 20 && string(b[:4]) == "\x00\x00\x55\xaa" && string(b[len(b)-4:]) == "\x00\x00\xaa\x55"
}

// LooksPPPP recognizes the peer-to-peer protocol of cheap cameras: f1, a type, the length of the rest.
func LooksPPPP(b []byte, _ dissect.Ports) bool {
	return len(b) >= 4 && b[0] == 0xf1 && int(binary.BigEndian.Uint16(b[2:])) == len(b)-4
}

// PPPP is the peer-to-peer protocol of cheap cameras (CS2 Network; messages as the published dissector of P. Marrapese names them).
var PPPP = announce.Protocol{Name: "pppp", Info: ppppInfo}

// ppppInfo reads the messages that only a device sends: DEV_LGN and DEV_LGN_KEY to the servers, LAN_NOTIFY to the network. An id of a device
// follows: prefix in 8 bytes, number in 4, check letters in 8. Only the prefix is kept, as Class: who knows the id can reach the device.
func ppppInfo(b []byte) *dissect.DeviceInfo {
	const devLogin, devLoginKey, lanNotify = 0x10, 0x14, 0x31
	const prefix, number, check, end = 4, 12, 16, 24
	if len(b) < end || b[1] != devLogin && b[1] != devLoginKey && b[1] != lanNotify {
		return nil
	}
	if id := parse.CString(b[prefix:number]); isCapitals(id) && isCapitals(parse.CString(b[check:end])) {
		return &dissect.DeviceInfo{Class: string(id)}
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
