// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"
	"net/netip"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/mask"
	"stillwatch/sensor/internal/dissect/parse"
)

// Bounds of a session description.
const (
	maxSDP    = 8 << 10 // bytes that are read
	maxTracks = 8
)

// sdpVendors are attributes that only devices of one vendor write: the header of Hikvision's stream format ("IMKH" in hexadecimal), and Dahua's
// packetization.
var sdpVendors = [...]struct{ attribute, vendor string }{
	{"media_header:mediainfo=494d4b48", "Hikvision"},
	{"packetization-supported:dh", "Dahua"},
}

// readSDP reads a session description (RFC 8866): name, tool, and of each medium its kind, its first payload type with the codec and the clock
// rate, and the URI that controls it (RFC 2326 appendix C.1.1). It returns nil if b is none.
func readSDP(b []byte) *dissect.MediaDescription {
	if !bytes.HasPrefix(b, []byte("v=")) {
		return nil
	}
	d := new(dissect.MediaDescription)
	var all netip.Addr // of the media without their own
	for len(b) > 0 {
		line, rest, ok := parse.CutLine(b)
		if !ok {
			line, rest = b, nil
		}
		b = rest
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		switch value := line[2:]; line[0] {
		case 's':
			d.Session = parse.CleanText(value, 128)
		case 'm':
			if len(d.Media) == maxTracks {
				return d
			}
			d.Media = append(d.Media, readTrack(value))
			d.Media[len(d.Media)-1].Addr = all
		case 'c':
			readConnection(d, &all, value)
		case 'a':
			readSDPAttribute(d, value)
		}
	}
	return d
}

// readTrack reads "video 0 RTP/AVP 96 97".
func readTrack(value []byte) (t dissect.MediaTrack) {
	kind, rest := parse.Word(value)
	port, rest := parse.Word(rest)
	_, rest = parse.Word(rest)
	t.Port = portPair(port)[0]
	t.Kind = parse.CleanText(kind, 16)
	if n, ok := parse.Number(rest); ok && n < 128 {
		t.Payload = uint8(n)
	}
	return t
}

// readConnection reads "IN IP4 239.1.1.1/16", of all media or of the last one. An address of zeros is none.
func readConnection(d *dissect.MediaDescription, all *netip.Addr, value []byte) {
	_, rest := parse.Word(value)
	_, rest = parse.Word(rest)
	text, _, _ := bytes.Cut(rest, []byte("/"))
	addr := mediaAddr(bytes.TrimSpace(text))
	switch {
	case !addr.IsValid() || addr.IsUnspecified():
	case len(d.Media) == 0:
		*all = addr
	default:
		d.Media[len(d.Media)-1].Addr = addr
	}
}

func readSDPAttribute(d *dissect.MediaDescription, value []byte) {
	for _, v := range sdpVendors {
		if parse.FoldPrefix(value, v.attribute) {
			d.Vendor = v.vendor
		}
	}
	name, value, _ := bytes.Cut(value, []byte(":"))
	if string(name) == "tool" {
		d.Tool = mask.Text(value, 128)
	}
	if len(d.Media) == 0 {
		return
	}
	t := &d.Media[len(d.Media)-1]
	switch string(name) {
	case "control":
		t.Control = mask.URI(value)
	case "rtpmap": // "96 H264/90000"
		kind, rest := parse.Word(value)
		codec, clock, _ := bytes.Cut(rest, []byte("/"))
		if n, ok := parse.Number(kind); ok && n == int(t.Payload) && t.Codec == "" {
			t.Codec = strings.ToUpper(parse.CleanText(codec, 32))
			t.Clock, _ = parse.Number(clock)
		}
	}
}

// readTransport reads the transport that a server agreed to (RFC 2326 section 12.39): "RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971",
// "RTP/AVP/TCP;unicast;interleaved=0-1", "RTP/AVP;multicast;destination=239.1.1.1;port=5000-5001".
func readTransport(value []byte) *dissect.MediaTransport {
	value, _, _ = bytes.Cut(value, []byte(",")) // only requests offer several
	t := new(dissect.MediaTransport)
	profile, rest, _ := bytes.Cut(value, []byte(";"))
	t.Profile = strings.ToUpper(parse.CleanText(profile, 32))
	for len(rest) > 0 {
		var field []byte
		field, rest, _ = bytes.Cut(rest, []byte(";"))
		name, value, _ := bytes.Cut(bytes.TrimSpace(field), []byte("="))
		switch {
		case parse.FoldEqual(name, "multicast"):
			t.Multicast = true
		case parse.FoldEqual(name, "client_port"), parse.FoldEqual(name, "port"):
			t.ClientPorts = portPair(value)
		case parse.FoldEqual(name, "server_port"):
			t.ServerPorts = portPair(value)
		case parse.FoldEqual(name, "interleaved"):
			t.Interleaved = true
			for i, n := range portPair(value) {
				t.Channels[i] = uint8(n)
			}
		case parse.FoldEqual(name, "dest_addr"): // of RTSP 2.0, RFC 7826 section 18.54
			t.Destination, t.ClientPorts = mediaAddrs(value)
		case parse.FoldEqual(name, "src_addr"):
			t.Source, t.ServerPorts = mediaAddrs(value)
		case parse.FoldEqual(name, "mode"):
			t.Push = parse.FoldContains(value, "record")
		case parse.FoldEqual(name, "destination"):
			t.Destination = mediaAddr(value)
		case parse.FoldEqual(name, "source"):
			t.Source = mediaAddr(value)
		}
	}
	return t
}

// portPair reads "5000-5001" or "5000". Without a second port the media have one only.
func portPair(value []byte) (ports [2]uint16) {
	first, second, _ := bytes.Cut(value, []byte("-"))
	for i, text := range [...][]byte{first, second} {
		if n, ok := parse.Number(text); ok && n < 1<<16 {
			ports[i] = uint16(n)
		}
	}
	return ports
}

// mediaAddrs reads `"192.0.2.5:6970"/"192.0.2.5:6971"`, also without the addresses.
func mediaAddrs(value []byte) (addr netip.Addr, ports [2]uint16) {
	for i := range ports {
		var one []byte
		one, value, _ = bytes.Cut(value, []byte("/"))
		one = bytes.Trim(one, `"`)
		at := bytes.LastIndexByte(one, ':')
		if at < 0 {
			break
		}
		ports[i] = portPair(one[at+1:])[0]
		if a := mediaAddr(one[:at]); i == 0 {
			addr = a
		}
	}
	return addr, ports
}

// mediaAddr reads an address, invalid if it is a name.
func mediaAddr(value []byte) netip.Addr { return parse.Addr(bytes.Trim(value, `"[]`)) }
