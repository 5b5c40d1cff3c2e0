// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"cmp"
	"net"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/camera"
	"stillwatch/sensor/internal/dissect/parse"
)

// Reply is what is read of the body of a response.
type Reply struct {
	failed bool // a SOAP fault, or the text with which a script reports an error
	rpc    dissect.Outcome
	device *dissect.DeviceInfo
}

// noReply is the body of a response that was not read.
var noReply Reply

// ReadReply reads the body of a response as far as it arrived. It returns nil if the body says nothing.
func ReadReply(body []byte) *Reply {
	var r Reply
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
	case body[0] == '<':
		r.readXML(body)
	case body[0] == '{':
		r.readJSON(body)
	default:
		r.readText(body)
	}
	if r == noReply {
		return nil
	}
	return &r
}

// Result returns the result of a call from the status of its response and what was read of the body, which may be nil.
func (c *Call) Result(status int, r *Reply) dissect.Outcome {
	r = cmp.Or(r, &noReply)
	switch {
	case status == 401, status == 403:
		return dissect.OutcomeFailure
	case c.Protocol == rpc2 && status/100 == 2:
		return r.rpc
	case r.failed && c.Protocol != isapi && c.Protocol != rpc2:
		return dissect.OutcomeFailure
	case status/100 != 2:
		return dissect.OutcomeUnknown
	}
	return dissect.OutcomeSuccess
}

// Device returns what a response says of the device, or nil. r may be nil.
func (c *Call) Device(r *Reply) (d *dissect.DeviceInfo) {
	r = cmp.Or(r, &noReply)
	switch {
	case c.rpc != nil:
		d = c.rpc.Device(r.device)
	case c.row != nil && c.row.describes && r.device != nil:
		copied := *r.device
		d = &copied
	}
	if d != nil {
		d.Protocol = c.Protocol
		if c.Protocol == cgi {
			d.Vendor = "Dahua"
		}
	}
	return d
}

// readXML reads a SOAP message, or what ISAPI says of a device.
func (r *Reply) readXML(body []byte) {
	r.failed = parse.FoldContains(body, ":fault>") || parse.FoldContains(body, "<fault>") || parse.FoldContains(body, ":fault ")
	d := dissect.DeviceInfo{}
	text := func(name string) string { return announce.Text(parse.Element(body, name)) }
	switch {
	case parse.FoldContains(body, "getdeviceinformationresponse"):
		d.Vendor, d.Model, d.Firmware, d.Serial = text("manufacturer"), text("model"), text("firmwareversion"), text("serialnumber")
	case parse.FoldContains(body, "<deviceinfo"):
		d.Vendor, d.Model, d.Firmware, d.Serial = text("manufacturer"), text("model"), text("firmwareversion"), text("serialnumber")
		d.Name, d.Class = text("devicename"), text("devicetype")
		d.FirmwareDate = announce.Date(parse.Element(body, "firmwarereleaseddate"))
		d.MAC = macOf(parse.Element(body, "macaddress"))
		if d.Vendor == "" && parse.FoldContains(body, "hikvision.com") {
			d.Vendor = "Hikvision"
		}
	default:
		return
	}
	r.device = &d
}

// readJSON reads an answer of RPC2 or of VAPIX.
func (r *Reply) readJSON(body []byte) {
	m := camera.ReadRPC(body)
	r.rpc, r.device = m.Result(), m.Device()
	r.failed = parse.FoldContains(body, `"error"`)
	parse.JSONMembers(body, func(depth int, key, value []byte) {
		if depth == 3 { // of propertyList in data
			r.describe(key, value)
		}
	})
}

// readText reads lines of "name=value", as scripts of Dahua and Axis write them.
func (r *Reply) readText(body []byte) {
	r.failed = parse.FoldPrefix(body, "error") || parse.FoldPrefix(body, "# error")
	for len(body) > 0 {
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		body = rest
		if name, value, ok := bytes.Cut(line, []byte("=")); ok {
			r.describe(bytes.TrimSpace(name), value)
		}
	}
}

// describe notes a property of the device by its name.
func (r *Reply) describe(name, value []byte) {
	if parse.FoldPrefix(name, "root.") {
		name = name[len("root."):]
	}
	field := describes(name)
	if field == nil {
		return
	}
	if r.device == nil {
		r.device = new(dissect.DeviceInfo)
	}
	field(r.device, value)
}

func describes(name []byte) func(d *dissect.DeviceInfo, value []byte) {
	for i := range properties {
		if parse.FoldEqual(name, properties[i].name) {
			return properties[i].set
		}
	}
	return nil
}

// properties are the names of what a device says of itself, in lower case: of magicBox.cgi, of the parameters of VAPIX, of its
// basicdeviceinfo.cgi.
var properties = []struct {
	name string
	set  func(d *dissect.DeviceInfo, value []byte)
}{
	{"type", setModel},
	{"updateserial", setModel},
	{"class", setClass},
	{"sn", setSerial},
	{"serialnumber", setSerial},
	{"version", setFirmware},
	{"name", func(d *dissect.DeviceInfo, v []byte) { d.Name = announce.Text(v) }},
	{"brand", setVendor},
	{"brand.brand", setVendor},
	{"prodnbr", setModel},
	{"brand.prodnbr", setModel},
	{"prodfullname", setFullName},
	{"brand.prodfullname", setFullName},
	{"prodtype", setClass},
	{"brand.prodtype", setClass},
	{"properties.firmware.version", setFirmware},
	{"builddate", setDate},
	{"properties.firmware.builddate", setDate},
	{"properties.system.serialnumber", setSerial},
	{"network.eth0.macaddress", func(d *dissect.DeviceInfo, v []byte) { d.MAC = macOf(v) }},
}

func setModel(d *dissect.DeviceInfo, v []byte)  { d.Model = announce.Text(v) }
func setSerial(d *dissect.DeviceInfo, v []byte) { d.Serial = announce.Text(v) }
func setVendor(d *dissect.DeviceInfo, v []byte) { d.Vendor = announce.Text(v) }
func setClass(d *dissect.DeviceInfo, v []byte)  { d.Class = announce.Text(v) }
func setDate(d *dissect.DeviceInfo, v []byte)   { d.FirmwareDate = announce.Date(v) }

// setFullName takes the full name of a product as its model if its number is not known.
func setFullName(d *dissect.DeviceInfo, v []byte) {
	if d.Model == "" {
		setModel(d, v)
	}
}

// setFirmware reads "2.420.0.R, build: 2015-10-10" as well as a bare version.
func setFirmware(d *dissect.DeviceInfo, v []byte) {
	version, build, ok := bytes.Cut(v, []byte(","))
	d.Firmware = announce.Text(version)
	if ok {
		d.FirmwareDate = announce.Date(build)
	}
}

// macOf returns a MAC address, or zero if the text is none.
func macOf(text []byte) (mac [6]byte) {
	if a, err := net.ParseMAC(parse.CleanText(text, 17)); err == nil && len(a) == len(mac) {
		copy(mac[:], a)
	}
	return mac
}
