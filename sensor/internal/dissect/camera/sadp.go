// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "sadp",
	Signs: "XML with Probe or ProbeMatch and Uuid",
	Reads: "identity, requests that change the device",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 180, First: "<<", Looks: LooksSADP, New: SADP.New},
	},
})

// SADP is Hikvision's search protocol: XML over UDP, usually from and to port 37020 of 239.255.255.250. A client sends a Probe, devices
// answer with a ProbeMatch, and the element Types of both names the operation. The format is described by published clients.
var SADP = announce.Protocol{Name: "sadp", Info: sadpInfo, Action: sadpAction}

// LooksSADP recognizes XML with a Probe or a ProbeMatch that carries a Uuid.
func LooksSADP(b []byte, _ dissect.Ports) bool {
	return match.AnyPrefix(b, "<?xml", "<Probe") == match.Yes && parse.FoldContains(b, "<probe") && parse.FoldContains(b, "<uuid>")
}

// sadpInfo reads a ProbeMatch. An answer to a change names no model.
func sadpInfo(b []byte) *dissect.DeviceInfo {
	if !parse.FoldContains(b, "<probematch") {
		return nil
	}
	model := parse.Element(b, "devicedescription")
	if len(model) == 0 {
		return nil
	}
	software := parse.Element(b, "softwareversion")
	info := &dissect.DeviceInfo{
		MAC: parse.MAC(parse.Element(b, "mac")), IP: parse.Addr(parse.Element(b, "ipv4address")),
		Vendor: "Hikvision", Model: announce.Text(model), Serial: announce.Text(parse.Element(b, "devicesn")),
		Firmware: announce.Text(software), FirmwareDate: announce.BuildDate(software), Booted: announce.Time(parse.Element(b, "boottime")),
		Activated: activated(parse.Element(b, "activated")),
	}
	info.Analog, _ = parse.Number(parse.Element(b, "analogchannelnum"))
	info.Digital, _ = parse.Number(parse.Element(b, "digitalchannelnum"))
	return info
}

func activated(b []byte) dissect.Outcome {
	switch {
	case parse.FoldEqual(b, "true"):
		return dissect.OutcomeSuccess
	case parse.FoldEqual(b, "false"):
		return dissect.OutcomeFailure
	}
	return dissect.OutcomeUnknown
}

// sadpChanges lists the operations that change a device.
var sadpChanges = [...]struct {
	name string
	kind dissect.ActionKind
}{
	{"activate", dissect.ActionUsers}, // the first password
	{"exchangecode", dissect.ActionUsers},
	{"setChannelDefaultPassword", dissect.ActionUsers},
	{"SetVerificationCode", dissect.ActionUsers},
	{"reset", dissect.ActionReset},
	{"restoreInactive", dissect.ActionReset},
	{"GUIDReset", dissect.ActionReset},
	{"MailReset", dissect.ActionReset},
	{"AnswerReset", dissect.ActionReset},
	{"update", dissect.ActionNetwork},
	{"EHomeEnable", dissect.ActionNetwork},
	{"SetHCPlatform", dissect.ActionNetwork},
	{"ezvizUnbind", dissect.ActionNetwork},
	{"setBindList", dissect.ActionConfiguration},
	{"deviceTypeCustom", dissect.ActionConfiguration},
}

// sadpAction reads a Probe that changes a device. The answer comes in another session, because both go to a multicast group, so the result
// is unknown.
func sadpAction(b []byte) *dissect.DeviceAction {
	if parse.FoldContains(b, "<probematch") {
		return nil
	}
	types := parse.Element(b, "types")
	for i := range sadpChanges {
		if c := &sadpChanges[i]; foldSame(types, c.name) {
			return &dissect.DeviceAction{Action: c.name, Kind: c.kind}
		}
	}
	return nil
}

// foldSame reports whether b equals s, ignoring the case of both.
func foldSame(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if parse.Lower(c) != parse.Lower(s[i]) {
			return false
		}
	}
	return true
}
