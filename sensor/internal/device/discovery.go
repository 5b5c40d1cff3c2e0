// SPDX-License-Identifier: Apache-2.0

package device

import (
	"strconv"
	"strings"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// discovered weighs what a device says about itself in a discovery protocol. The device is the sender, whatever address it names: replies of
// devices behind a router name their private one.
func (r *Registry) discovered(f *dissect.DeviceInfo, d *Device, now int64) {
	if d == nil {
		return
	}
	src := evidence.Discovery
	switch named := packet.MAC(f.MAC); {
	case named.IsZero() || d.MAC.IsZero():
		src = evidence.DiscoveryUnchecked
	case named != d.MAC:
		src = evidence.DiscoveryForeign
	}
	r.described(f, src, d, now)
	if f.Name != "" {
		r.observe(d, src, "name "+f.Protocol+" "+f.Name, now)
	}
}

// describedItself weighs what a device says about itself in an answer over a connection, which no other host can give in its name.
func (r *Registry) describedItself(f *dissect.DeviceInfo, d *Device, now int64) {
	if d != nil {
		r.described(f, evidence.Answer, d, now)
	}
}

// named has the protocols in which a device says its host name.
var named = map[string]bool{"lldp": true, "cdp": true, "edp": true, "fdp": true, "snmp": true, "nbns": true, "nbdgm": true, "ntlm": true}

// isAnswer reports whether information was given in an answer to a peer, which only the host that was asked can give.
func isAnswer(v *session.View, f *dissect.DeviceInfo, dir session.Dir) bool {
	return v.Proto == protoTCP || dir == session.In && (f.Protocol == "snmp" || f.Protocol == "nbns")
}

// described weighs the kind of device, its vendor, its firmware and its free text, and records its host name.
func (r *Registry) described(f *dissect.DeviceInfo, src evidence.Source, d *Device, now int64) {
	r.observe(d, src, announcedKind(f), now)
	if f.Vendor != "" && !generic[strings.ToLower(f.Vendor)] {
		r.observe(d, src, "vendor "+f.Protocol+" "+f.Vendor, now)
	}
	if f.Firmware != "" {
		value := "firmware " + f.Protocol + " " + f.Firmware
		if f.FirmwareDate != "" {
			value += " built " + f.FirmwareDate
		}
		r.observe(d, src, value, now)
	}
	if f.Name != "" && named[f.Protocol] {
		d.addHostname(evidence.Clean(f.Name))
	}
	text := evidence.SystemText
	if src == evidence.Answer {
		text = evidence.SystemAnswer
	}
	r.observe(d, text, f.Description, now)
}

// announcedKind returns the kind of device as the table of evidence has it: protocol, class ("-" for none, without spaces), numbers of analog
// and digital channels, model.
func announcedKind(f *dissect.DeviceInfo) string {
	class := strings.ReplaceAll(f.Class, " ", "_")
	if class == "" {
		class = "-"
	}
	s := f.Protocol + " " + class + " " + strconv.Itoa(f.Analog) + "+" + strconv.Itoa(f.Digital)
	if f.Model != "" && !generic[strings.ToLower(f.Model)] {
		s += " " + f.Model
	}
	return s
}

// generic holds the models and vendors that are only a kind of device, or that devices say whose brand was not set.
var generic = map[string]bool{"nvr": true, "dvr": true, "xvr": true, "hcvr": true, "hdvr": true, "hdcvi": true, "ipc": true, "sd": true, "ip camera": true,
	"ipcamera": true, "network camera": true, "general": true, "private": true, "onvif": true, "unknown": true}
