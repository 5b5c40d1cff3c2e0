// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"fmt"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/http"
)

const upnpHead = `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion><device>`

func response(contentType, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", contentType, len(body), body)
}

// ippAttribute returns an attribute with a tag of a text.
func ippAttribute(name, value string) string {
	return "\x41\x00" + string([]byte{byte(len(name))}) + name + "\x00" + string([]byte{byte(len(value))}) + value
}

const ippHead = "\x02\x00\x00\x00\x00\x00\x00\x01\x01"

var descriptions = map[string]struct {
	response string
	want     *dissect.DeviceInfo
}{
	"router": {response("text/xml; charset=utf-8", upnpHead+"<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><friendlyName>R1</friendlyName>"+
		"<manufacturer>NETGEAR, Inc.</manufacturer><modelName>R7000</modelName><modelNumber>7</modelNumber><serialNumber>S1</serialNumber><deviceList><device><manufacturer>x</manufacturer></device></deviceList>"),
		&dissect.DeviceInfo{Protocol: "upnp", Class: "urn:schemas-upnp-org:device:InternetGatewayDevice:1", Name: "R1", Vendor: "NETGEAR, Inc.", Model: "R7000", Serial: "S1"}},
	"player with firmware": {response("application/xml", upnpHead+"<deviceType>urn:schemas-upnp-org:device:ZonePlayer:1</deviceType><manufacturer>Sonos, Inc.</manufacturer><modelNumber>S1</modelNumber><softwareVersion>57.3</softwareVersion>"),
		&dissect.DeviceInfo{Protocol: "upnp", Class: "urn:schemas-upnp-org:device:ZonePlayer:1", Vendor: "Sonos, Inc.", Model: "S1", Firmware: "57.3"}},
	"program": {response("text/xml", upnpHead+"<deviceType>urn:schemas-upnp-org:device:MediaServer:1</deviceType><friendlyName>pc</friendlyName><manufacturer>Microsoft Corporation</manufacturer><modelName>Windows Media Player Sharing</modelName>"),
		&dissect.DeviceInfo{Protocol: "upnp", Class: "urn:schemas-upnp-org:device:MediaServer:1", Name: "pc"}},
	"other XML":     {response("text/xml", "<root><deviceType>x</deviceType></root>"), nil},
	"the same HTML": {response("text/html", upnpHead+"<deviceType>x</deviceType>"), nil},
	"printer": {response("application/ipp", ippHead+ippAttribute("attributes-charset", "utf-8")+"\x04"+ippAttribute("printer-make-and-model", "HP LaserJet 4250")+
		ippAttribute("printer-device-id", "MFG:HP;CMD:PCL;MDL:LaserJet 4250;SN:CN1;")+ippAttribute("printer-firmware-string-version", "2401")+"\x03"),
		&dissect.DeviceInfo{Protocol: "ipp", Vendor: "HP", Model: "LaserJet 4250", Serial: "CN1", Firmware: "2401"}},
	"print server": {response("application/ipp", ippHead+ippAttribute("printer-make-and-model", "HP LaserJet 4250")+ippAttribute("device-uri", "socket://192.0.2.7")), nil},
	"attribute that is cut": {response("application/ipp", ippHead+ippAttribute("printer-make-and-model", "Brother HL")+"\x41\x00\x20x"),
		&dissect.DeviceInfo{Protocol: "ipp", Model: "Brother HL"}},
}

func TestDescriptions(t *testing.T) {
	for name, tc := range descriptions {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 49152}, []dissecttest.Turn{
			dissecttest.Client(dissecttest.Request("GET /rootDesc.xml HTTP/1.1", "Host: 192.0.2.7")), dissecttest.Server(tc.response)})
		got := dissecttest.FactsOf[dissect.DeviceInfo](facts)
		if tc.want == nil && len(got) > 0 || tc.want != nil && (len(got) != 1 || got[0] != *tc.want) {
			t.Errorf("%s:\n%swant %+v", name, dissecttest.Dump(facts), tc.want)
		}
	}
}

func TestNTLMInHeaders(t *testing.T) {
	token := dissecttest.EncodeBase64
	for _, scheme := range []string{"NTLM", "Negotiate"} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, []dissecttest.Turn{
			dissecttest.Client(dissecttest.Request("GET / HTTP/1.1", "Authorization: "+scheme+" "+token("NTLMSSP\x00\x01\x00\x00\x00\x97\x82\x08\xe2"))),
			dissecttest.Server(dissecttest.Request("HTTP/1.1 401 Unauthorized", "WWW-Authenticate: "+scheme+" "+token(dissecttest.NTLMChallenge("SRV1", "", 17763)), "Content-Length: 0")),
			dissecttest.Client(dissecttest.Request("GET / HTTP/1.1", "Authorization: "+scheme+" "+token(dissecttest.NTLMAuthenticate("PC1", 22631)))),
			dissecttest.Server(dissecttest.EmptyOK)})
		got := dissecttest.FactsOf[dissect.DeviceInfo](facts)
		if len(got) != 2 || got[0].Name != "SRV1" || got[0].Firmware != "10.0.17763" || got[1].Name != "PC1" || strings.Contains(dissecttest.Dump(facts), "SECRET") {
			t.Errorf("%s:\n%s", scheme, dissecttest.Dump(facts))
		}
	}
}

func FuzzDescription(f *testing.F) {
	var seeds [][]dissecttest.Turn
	for _, tc := range descriptions {
		seeds = append(seeds, []dissecttest.Turn{dissecttest.Server(tc.response)})
	}
	dissecttest.FuzzStream(f, func() dissect.Stream { return new(http.Stream) }, seeds...)
}
