// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"net/netip"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
)

// Operations of SADP over Ethernet (MatrixEditor/hiktools, sadp.lua). Those that ask for something are odd or even without a rule.
const (
	sadpInquiryReply = 0x04
	sadpUpdateIP     = 0x06
	sadpReset        = 0x0a
	sadpModifyNet    = 0x10
)

// ParseSADP reads a frame of Hikvision's search protocol with the EtherType 8033, the binary form of what SADP says over UDP: a header of 38
// bytes (marker, operation, addresses of both ends), then data. The reply to an inquiry is a NeighborMessage, a request that changes a device a
// LinkAction. ok is false for the rest.
func ParseSADP(b []byte, etherSrc, etherDst [6]byte) (f dissect.Fact, ok bool) {
	const header, marker, lengths = 38, 0x21, "\x06\x04"
	if len(b) < header || b[0] != marker || string(b[8:10]) != lengths {
		return nil, false
	}
	src, dst := netip.AddrFrom4([4]byte(b[20:24])), netip.AddrFrom4([4]byte(b[30:34]))
	action := func(name string, kind dissect.ActionKind) (dissect.Fact, bool) {
		return &dissect.LinkAction{DeviceAction: dissect.DeviceAction{Protocol: "sadp", Action: name, Kind: kind},
			EtherSrc: etherSrc, EtherDst: etherDst, Src: src, Dst: dst}, true
	}
	switch b[10] {
	case sadpInquiryReply:
		m := &dissect.NeighborMessage{EtherSrc: etherSrc, DeviceInfo: dissect.DeviceInfo{
			Protocol: "sadp", MAC: [6]byte(b[14:20]), IP: src, Vendor: "Hikvision"}}
		sadpDevice(&m.DeviceInfo, b[header:])
		return m, true
	case sadpUpdateIP:
		return action("update", dissect.ActionNetwork)
	case sadpModifyNet:
		return action("modifyNetParam", dissect.ActionNetwork)
	case sadpReset:
		return action("reset", dissect.ActionReset)
	}
	return nil, false
}

// sadpDevice reads the data of a reply: serial number (48 bytes), numbers (16), the versions of firmware and signal processor and the time of the
// start (48 each), and of newer devices, at 312, a description that is the model (24).
func sadpDevice(d *dissect.DeviceInfo, b []byte) {
	const field, version, started, model, modelLen = 48, 64, 160, 312, 24
	text := func(at, n int) []byte {
		if at+n > len(b) {
			return nil
		}
		return b[at : at+n]
	}
	d.Serial = announce.Text(text(0, field))
	software := text(version, field)
	d.Firmware, d.FirmwareDate = announce.Text(software), announce.BuildDate(software)
	d.Booted = announce.Time(text(started, field))
	if m := text(model, modelLen); len(m) > 0 && match.AnyPrefix(m, "DS-", "iDS-", "HWI-", "HWN-") == match.Yes {
		d.Model = announce.Text(m)
	}
	if d.Model == "" {
		d.Model = announce.ModelOfSerial(d.Serial)
	}
}
