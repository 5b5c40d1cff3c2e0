// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"bytes"
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
)

// DHIPDiscovery is Dahua's discovery: DHIP over UDP, usually to port 37810 of 239.255.255.251. A client calls DHDiscover.search, and devices
// answer with the call client.notifyDevInfo. The format is described by published clients.
var DHIPDiscovery = announce.Protocol{Name: "dhip", Info: dhipInfo, Action: dhipAction}

// DVRIPDiscovery is the older discovery of Dahua, on UDP port 5050: a request a3 01, an answer b3 00.
var DVRIPDiscovery = announce.Protocol{Name: "dvrip", Info: dvripInfo}

// LooksDHIPDatagram recognizes DHIP over UDP.
func LooksDHIPDatagram(b []byte, ports dissect.Ports) bool {
	return LooksDHIP(b, true, ports) == match.Yes
}

// LooksDVRIPDatagram recognizes the older discovery of Dahua on its port.
func LooksDVRIPDatagram(b []byte, ports dissect.Ports) bool {
	return ports.Has(5050) && len(b) >= 32 && (b[0] == 0xa3 && b[1] == 1 || b[0] == 0xb3 && b[1] == 0)
}

// dhipBody returns the JSON of a datagram. Some devices count bytes that they do not send.
func dhipBody(b []byte) []byte {
	if len(b) < dhipHead {
		return nil
	}
	body := b[dhipHead:]
	if size := binary.LittleEndian.Uint32(b[dhipSize:]); uint64(size) < uint64(len(body)) {
		body = body[:size]
	}
	return body
}

// dhipInfo reads the call client.notifyDevInfo. Devices that are sold under other names say those in Vendor.
func dhipInfo(b []byte) *dissect.DeviceInfo {
	body := dhipBody(b)
	if !bytes.Contains(body, []byte(`client.notifyDevInfo`)) {
		return nil
	}
	info := &dissect.DeviceInfo{}
	parse.JSONMembers(body, func(_ int, key, value []byte) { dhipMember(info, key, value) })
	if info.Class == "" && info.Model == "" && info.Firmware == "" {
		return nil
	}
	switch info.Vendor {
	case "", "General", "Private", "Group", "Dahua":
		info.Vendor = "Dahua"
	}
	return info
}

func dhipMember(info *dissect.DeviceInfo, key, value []byte) {
	switch {
	case parse.FoldEqual(key, "mac"):
		info.MAC = parse.MAC(value)
	case parse.FoldEqual(key, "ipaddress") && !info.IP.IsValid():
		info.IP = parse.Addr(value)
	case parse.FoldEqual(key, "vendor"):
		info.Vendor = announce.JSONText(value)
	case parse.FoldEqual(key, "devicetype"):
		info.Model = announce.JSONText(value)
	case parse.FoldEqual(key, "deviceclass"):
		info.Class = announce.JSONText(value)
	case parse.FoldEqual(key, "machinename"):
		info.Name = announce.JSONText(value)
	case parse.FoldEqual(key, "serialno"):
		info.Serial = announce.JSONText(value)
	case parse.FoldEqual(key, "version"):
		version, built, both := bytes.Cut(value, []byte(",")) // "2.800.0000000.31.R,2019-12-15"
		if info.Firmware, info.FirmwareDate = announce.JSONText(version), announce.BuildDate(value); both && info.FirmwareDate == "" {
			info.FirmwareDate = announce.BuildDate(bytes.TrimSpace(built))
		}
	case parse.FoldEqual(key, "videoinputchannels"):
		info.Analog, _ = parse.Number(value)
	case parse.FoldEqual(key, "remotevideoinputchannels"):
		info.Digital, _ = parse.Number(value)
	case parse.FoldEqual(key, "init"):
		info.Activated = dhipInit(value)
	}
}

// dhipInit reads the state of the first password from the two lowest bits of the number Init: 1 is not set, 2 is set.
func dhipInit(value []byte) dissect.Outcome {
	n, _ := parse.Number(value)
	switch n & 3 {
	case 1:
		return dissect.OutcomeFailure
	case 2:
		return dissect.OutcomeSuccess
	}
	return dissect.OutcomeUnknown
}

// dhipChanges lists the calls without a session that change a device.
var dhipChanges = [...]struct {
	method string
	kind   dissect.ActionKind
}{
	{"DHDiscover.setConfig", dissect.ActionNetwork},
	{"DevInit.account", dissect.ActionUsers},
	{"DevInit.leAction", dissect.ActionConfiguration},
	{"PasswdFind.resetPassword", dissect.ActionReset},
	{"Security.modifyPwdOutSession", dissect.ActionUsers},
}

// dhipAction reads a call that changes a device.
func dhipAction(b []byte) (action *dissect.DeviceAction) {
	hint := ""
	parse.JSONMembers(dhipBody(b), func(depth int, key, value []byte) {
		switch {
		case depth == 1 && parse.FoldEqual(key, "method"):
			for i := range dhipChanges {
				if c := &dhipChanges[i]; foldSame(value, c.method) {
					action = &dissect.DeviceAction{Action: c.method, Kind: c.kind}
				}
			}
		case parse.FoldEqual(key, "username"):
			hint = logins.Hint(value)
		}
	})
	if action != nil {
		action.UserHint = hint
	}
	return action
}

// dvripInfo reads an answer: 120 bytes with the kind of device at 40 and the IPv4 address at 56, then the MAC address in text and the model,
// then lines "Name: value". Byte 2 is the length of the part with the MAC address.
func dvripInfo(b []byte) *dissect.DeviceInfo {
	const head, kind, address, macText = 120, 40, 56, 17
	if len(b) < head+macText || b[0] != 0xb3 {
		return nil
	}
	end := head + min(max(int(b[2]), macText), len(b)-head)
	info := &dissect.DeviceInfo{
		MAC: parse.MAC(b[head : head+macText]), IP: parse.Addr4(b[address:]), Vendor: "Dahua",
		Class: announce.Text(b[kind : kind+16]), Model: announce.Text(b[head+macText : end]),
	}
	if info.MAC == [6]byte{} {
		return nil
	}
	for rest := b[end:]; len(rest) > 0; {
		var line []byte
		if line, rest, _ = bytes.Cut(rest, []byte("\n")); len(line) > 0 {
			dvripLine(info, line)
		}
	}
	return info
}

func dvripLine(info *dissect.DeviceInfo, line []byte) {
	key, value, _ := bytes.Cut(line, []byte(":"))
	switch {
	case parse.FoldEqual(key, "name"):
		info.Name = announce.Text(value)
	case parse.FoldEqual(key, "device"):
		info.Model = announce.Text(value)
	case parse.FoldEqual(key, "serialno"):
		info.Serial = announce.Text(value)
	}
}
