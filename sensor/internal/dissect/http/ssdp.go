// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "ssdp",
	Signs: "search, announcement, response",
	Ports: "1900 without a USN",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 160, First: "HHMN", Looks: LooksSSDP, New: SSDP.New},
	},
})

// SSDP is the discovery of UPnP (UPnP Device Architecture 1.1 section 1): requests and responses of HTTP in single datagrams.
var SSDP = announce.Protocol{Name: "ssdp", Info: ssdpInfo}

// LooksSSDP recognizes searches, announcements and, on its port or with a USN, responses of SSDP.
func LooksSSDP(b []byte, ports dissect.Ports) bool {
	switch {
	case bytes.HasPrefix(b, []byte("M-SEARCH * HTTP/1.")):
		return true
	case bytes.HasPrefix(b, []byte("NOTIFY * HTTP/1.")), bytes.HasPrefix(b, []byte("HTTP/1.1 200 ")):
		return ports.Has(1900) || parse.FoldContains(b, "\nusn:")
	}
	return false
}

// ssdpInfo reads an announcement (NOTIFY with ssdp:alive) or the response to a search. Name is the product of the SERVER header, Class the
// type of NT or ST, Serial the UUID of the USN, IP that of LOCATION.
func ssdpInfo(b []byte) *dissect.DeviceInfo {
	if bytes.HasPrefix(b, []byte("M-SEARCH")) {
		return nil
	}
	info := &dissect.DeviceInfo{}
	_, rest, _ := parse.CutLine(b)
	for {
		line, after, ok := parse.CutLine(rest)
		if !ok || len(line) == 0 {
			break
		}
		rest = after
		key, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		if parse.FoldEqual(key, "nts") && !parse.FoldEqual(value, "ssdp:alive") && !parse.FoldEqual(value, "ssdp:update") {
			return nil // it leaves
		}
		ssdpHeader(info, key, value)
	}
	if info.Name == "" && info.Serial == "" {
		return nil
	}
	return info
}

func ssdpHeader(info *dissect.DeviceInfo, key, value []byte) {
	switch {
	case parse.FoldEqual(key, "server"):
		info.Name = announce.Text(value)
	case parse.FoldEqual(key, "nt"), parse.FoldEqual(key, "st"):
		if parse.FoldPrefix(value, "urn:") {
			info.Class = announce.Text(value)
		}
	case parse.FoldEqual(key, "usn"):
		if id, ok := bytes.CutPrefix(value, []byte("uuid:")); ok {
			id, _, _ = bytes.Cut(id, []byte("::"))
			info.Serial = announce.Text(id)
		}
	case parse.FoldEqual(key, "location"):
		info.IP = parse.Addr(urlHost(value))
	}
}

// urlHost returns the host of a URL without its port, nil if it has none.
func urlHost(url []byte) []byte {
	_, rest, ok := bytes.Cut(url, []byte("://"))
	if !ok {
		return nil
	}
	if n := bytes.IndexAny(rest, "/?# "); n >= 0 {
		rest = rest[:n]
	}
	if inner, ok := bytes.CutPrefix(rest, []byte("[")); ok {
		host, _, _ := bytes.Cut(inner, []byte("]"))
		return host
	}
	host, _, _ := bytes.Cut(rest, []byte(":"))
	return host
}
