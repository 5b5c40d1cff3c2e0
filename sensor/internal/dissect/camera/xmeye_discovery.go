// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
)

// XMEyeDiscovery is the discovery of Xiongmai's protocol, on UDP port 34569. The format is described by published clients.
var XMEyeDiscovery = announce.Protocol{Name: "xmeye", Info: xmeyeInfo, Action: xmeyeAction}

// Messages of the discovery: the answer to a search, and the request to change the network settings.
const xmFound, xmSet = 1531, 1532

// LooksXMEyeDatagram recognizes the protocol of Xiongmai recorders over UDP.
func LooksXMEyeDatagram(b []byte, ports dissect.Ports) bool {
	return len(b) > 0 && LooksXMEye(b, true, ports) == match.Yes
}

// xmMessage returns the number of a message and its JSON.
func xmMessage(b []byte) (message uint16, body []byte) {
	if len(b) < xmHead {
		return 0, nil
	}
	return binary.LittleEndian.Uint16(b[xmSize-2:]), b[xmHead:]
}

// xmeyeInfo reads the object NetWork.NetCommon of an answer.
func xmeyeInfo(b []byte) *dissect.DeviceInfo {
	message, body := xmMessage(b)
	if message != xmFound {
		return nil
	}
	info := &dissect.DeviceInfo{Vendor: "Xiongmai"}
	parse.JSONMembers(body, func(_ int, key, value []byte) {
		switch {
		case parse.FoldEqual(key, "mac"):
			info.MAC = parse.MAC(value)
		case parse.FoldEqual(key, "hostip"):
			info.IP = xmAddr(value)
		case parse.FoldEqual(key, "hostname"):
			info.Name = announce.JSONText(value)
		case parse.FoldEqual(key, "sn"):
			info.Serial = announce.JSONText(value)
		case parse.FoldEqual(key, "version"):
			info.Firmware = announce.JSONText(value)
		case parse.FoldEqual(key, "builddate"):
			info.FirmwareDate = announce.BuildDate(value)
		case parse.FoldEqual(key, "channelnum"):
			info.Analog, _ = parse.Number(value)
		}
	})
	if info.MAC == [6]byte{} && info.Serial == "" {
		return nil
	}
	return info
}

// xmAddr reads an address as a hexadecimal number, whose lowest byte is the first of the address: 0x0100A8C0 is 192.168.0.1.
func xmAddr(value []byte) netip.Addr {
	var b [4]byte
	if len(value) != 10 || value[0] != '0' || value[1] != 'x' {
		return netip.Addr{}
	}
	if _, err := hex.Decode(b[:], value[2:]); err != nil {
		return netip.Addr{}
	}
	return parse.Addr4([]byte{b[3], b[2], b[1], b[0]})
}

// xmeyeAction reads a request to change the network settings, which carries the login.
func xmeyeAction(b []byte) *dissect.DeviceAction {
	message, body := xmMessage(b)
	if message != xmSet {
		return nil
	}
	action := &dissect.DeviceAction{Action: "NetWork.NetCommon", Kind: dissect.ActionNetwork}
	parse.JSONMembers(body, func(_ int, key, value []byte) {
		if parse.FoldEqual(key, "username") {
			action.UserHint = logins.Hint(value)
		}
	})
	return action
}
