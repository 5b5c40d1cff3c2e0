// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"
	"net/netip"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "wsd",
	Signs: "XML with the namespace of WS-Discovery",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 170, First: "\n\n\r\r  <<\xef\xef", Looks: LooksWSDiscovery, New: WSDiscovery.New},
	},
})

// WSDiscovery is WS-Discovery (OASIS WS-Discovery 1.1; versions before use other namespaces), by which cameras with ONVIF, printers, and
// computers announce themselves over UDP port 3702: ProbeMatches, ResolveMatches and Hello.
var WSDiscovery = announce.Protocol{Name: "wsd", Info: wsdInfo}

// LooksWSDiscovery recognizes the namespaces of WS-Discovery 1.0 and 1.1.
func LooksWSDiscovery(b []byte, _ dissect.Ports) bool {
	return match.AnyPrefix(bytes.TrimLeft(b, "\xef\xbb\xbf \r\n"), "<") == match.Yes &&
		(bytes.Contains(b, []byte("schemas.xmlsoap.org/ws/2005/04/discovery")) || bytes.Contains(b, []byte("docs.oasis-open.org/ws-dd/ns/discovery")))
}

// onvifScope begins the scopes of ONVIF (ONVIF Core Specification section 7.3.2.2).
const onvifScope = "onvif://www.onvif.org/"

// wsdInfo reads an announcement: Types are the class, the UUID of the endpoint is the serial number, the first IPv4 address of XAddrs the IP
// address. One with a scope or a type of ONVIF counts as ONVIF.
func wsdInfo(b []byte) *dissect.DeviceInfo {
	var body []byte
	for _, name := range [...]string{"probematch", "resolvematch", "hello"} {
		if body = afterTag(b, name); body != nil {
			break
		}
	}
	if body == nil {
		return nil
	}
	info := &dissect.DeviceInfo{Class: wsdTypes(parse.Element(body, "types")), IP: wsdAddr(parse.Element(body, "xaddrs"))}
	id := parse.Element(body, "address")
	for _, prefix := range [...]string{"urn:uuid:", "uuid:"} {
		id = bytes.TrimPrefix(id, []byte(prefix))
	}
	info.Serial = announce.Text(id)
	for _, scope := range bytes.Fields(parse.Element(body, "scopes")) {
		wsdScope(info, scope)
	}
	if strings.Contains(info.Class, "NetworkVideo") {
		info.Protocol = "onvif"
	}
	return info
}

// afterTag returns what follows the name of the first tag with a local name in lower case, nil if there is none.
func afterTag(b []byte, name string) []byte {
	for {
		i := parse.FoldIndex(b, name)
		if i < 0 {
			return nil
		}
		isTag := i > 0 && (b[i-1] == '<' || b[i-1] == ':')
		b = b[i+len(name):]
		if isTag && len(b) > 0 && (b[0] == '>' || b[0] <= ' ') {
			return b
		}
	}
}

// wsdTypes returns the types without the prefixes of their namespaces, which each device chooses itself.
func wsdTypes(b []byte) string {
	var out []byte
	for _, name := range bytes.Fields(b) {
		if i := bytes.IndexByte(name, ':'); i >= 0 {
			name = name[i+1:]
		}
		if len(out) > 0 {
			out = append(out, ' ')
		}
		out = append(out, name...)
	}
	return announce.Text(out)
}

func wsdAddr(urls []byte) (first netip.Addr) {
	for _, url := range bytes.Fields(urls) {
		a := parse.Addr(urlHost(url))
		if a.Is4() {
			return a
		}
		if !first.IsValid() {
			first = a
		}
	}
	return first
}

// wsdScope reads the scopes of ONVIF with the name and the hardware, and that of some devices with the MAC address.
func wsdScope(info *dissect.DeviceInfo, scope []byte) {
	if !parse.FoldPrefix(scope, onvifScope) {
		return
	}
	info.Protocol = "onvif"
	key, value, _ := bytes.Cut(scope[len(onvifScope):], []byte("/"))
	var room [256]byte
	value = parse.UnescapePercent(room[:0], value)
	switch {
	case parse.FoldEqual(key, "name"):
		info.Name = announce.Text(value)
	case parse.FoldEqual(key, "hardware"):
		info.Model = announce.Text(value)
	case parse.FoldEqual(key, "mac"):
		info.MAC = parse.MAC(value)
	}
}
