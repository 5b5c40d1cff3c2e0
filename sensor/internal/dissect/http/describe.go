// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/parse"
)

// describes reports whether the body may describe the server, by its type alone.
func (p *exchangeResponse) describes() bool {
	return p.status == 200 && (strings.HasSuffix(p.contentType, "/xml") || strings.Contains(p.contentType, "/xml;") || p.contentType == "application/ipp")
}

// description returns what a body says of the server, nil if nothing.
func (p *exchangeResponse) description(body []byte) *dissect.DeviceInfo {
	if p.contentType == "application/ipp" {
		return readIPP(body)
	}
	return readUPnP(body)
}

// softwareVendors announce programs that run on devices of others.
var softwareVendors = []string{"microsoft", "xbmc", "team kodi", "plex", "justin maggard", "videolan"}

// readUPnP reads the description of a root device (UPnP Device Architecture 1.1 section 2.3). That of a media server is of a program.
func readUPnP(body []byte) *dissect.DeviceInfo {
	if !parse.FoldContains(body, "urn:schemas-upnp-org:device-") {
		return nil
	}
	text := func(name string) string { return announce.Text(parse.Element(body, name)) }
	d := &dissect.DeviceInfo{Protocol: "upnp", Class: text("devicetype"), Name: text("friendlyname"), Serial: text("serialnumber")}
	vendor := parse.Element(body, "manufacturer")
	program := strings.Contains(d.Class, ":MediaServer:")
	for _, s := range softwareVendors {
		program = program || parse.FoldPrefix(vendor, s)
	}
	if !program {
		d.Vendor, d.Model = announce.Text(vendor), text("modelname")
		if d.Model == "" {
			d.Model = text("modelnumber")
		}
		if d.Firmware = text("softwareversion"); d.Firmware == "" {
			d.Firmware = text("firmwareversion")
		}
	}
	if d.Class == "" && d.Model == "" {
		return nil
	}
	return d
}

// maxIPPAttributes bounds the attributes that are read of one answer.
const maxIPPAttributes = 256

// readIPP reads the attributes in the answer of a printer (RFC 8010 section 3.1; RFC 8011 section 5.4; PWG 5107.2 for printer-device-id; PWG 5100.13 for the firmware). A print server
// describes the printers of others: CUPS adds where a printer is.
func readIPP(b []byte) *dissect.DeviceInfo {
	const headLen, firstValue = 8, 0x10
	if len(b) < headLen {
		return nil
	}
	d := &dissect.DeviceInfo{Protocol: "ipp"}
	b = b[headLen:]
	for range maxIPPAttributes {
		if len(b) == 0 {
			break
		}
		if b[0] < firstValue { // a group begins
			b = b[1:]
			continue
		}
		r := parse.Reader{B: b[1:]}
		name, value := r.Vec16(), r.Vec16()
		if r.Bad {
			break
		}
		b = r.B
		switch string(name) {
		case "device-uri", "printer-type":
			return nil
		case "printer-make-and-model":
			if d.Model == "" {
				d.Model = announce.Text(value)
			}
		case "printer-device-id":
			readDeviceID(d, value)
		case "printer-firmware-string-version":
			d.Firmware = announce.Text(value)
		case "printer-serial-number":
			d.Serial = announce.Text(value)
		}
	}
	if d.Model == "" {
		return nil
	}
	return d
}

// readDeviceID reads the device id of IEEE 1284: pairs of a key and a value, "MFG:HP;MDL:LaserJet 4250;".
func readDeviceID(d *dissect.DeviceInfo, b []byte) {
	for len(b) > 0 {
		pair, rest, _ := bytes.Cut(b, []byte(";"))
		b = rest
		key, value, _ := bytes.Cut(pair, []byte(":"))
		switch key = bytes.TrimSpace(key); {
		case parse.FoldEqual(key, "mfg"), parse.FoldEqual(key, "manufacturer"):
			d.Vendor = announce.Text(value)
		case parse.FoldEqual(key, "mdl"), parse.FoldEqual(key, "model"):
			d.Model = announce.Text(value)
		case parse.FoldEqual(key, "sn"), parse.FoldEqual(key, "serial"):
			d.Serial = announce.Text(value)
		}
	}
}

// tokenInfo returns what an NTLM message says of its sender. value is that of a header: a scheme and the message in Base64 (MS-NTHT section 2.1).
func tokenInfo(value []byte) *dissect.DeviceInfo {
	scheme, token := parse.Word(value)
	if parse.FoldEqual(scheme, "ntlm") || parse.FoldEqual(scheme, "negotiate") {
		return announce.NTLMToken(token)
	}
	return nil
}
