// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"net/netip"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/http"
)

// wsd returns a message of WS-Discovery 1.0.
func wsd(body string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" ` +
		`xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header><a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Hello</a:Action>` +
		`<a:ReplyTo><a:Address>urn:uuid:99999999-0000-0000-0000-000000000000</a:Address></a:ReplyTo></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

// wsdMatch returns a ProbeMatches message.
func wsdMatch(types, scopes, urls string) string {
	return wsd(`<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:0a0b0c0d-0000-1000-8000-02005e100007</a:Address></a:EndpointReference>` +
		`<d:Types>` + types + `</d:Types><d:Scopes>` + scopes + `</d:Scopes><d:XAddrs>` + urls + `</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>`)
}

const wsdID, ssdpID = "0a0b0c0d-0000-1000-8000-02005e100007", "2f402f80-da50-11e1-9b23-02005e100007"

var announcements = map[string]struct {
	message string
	want    dissect.DeviceInfo
}{
	"camera": {wsdMatch("dn:NetworkVideoTransmitter tds:Device", "onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/Gate%20North onvif://www.onvif.org/hardware/DS-2CD1043 onvif://www.onvif.org/MAC/02:00:5e:10:00:07 ldap:///x",
		"http://[fe80::7]/onvif/device_service http://192.0.2.7:8080/onvif/device_service"),
		dissect.DeviceInfo{Protocol: "onvif", MAC: [6]byte{2, 0, 0x5e, 0x10, 0, 7}, IP: netip.MustParseAddr("192.0.2.7"), Model: "DS-2CD1043", Name: "Gate North", Class: "NetworkVideoTransmitter Device", Serial: wsdID}},
	"printer": {wsdMatch("wsdp:Device wprt:PrintDeviceType", "", "http://192.0.2.7:3911/"),
		dissect.DeviceInfo{Protocol: "wsd", IP: netip.MustParseAddr("192.0.2.7"), Class: "Device PrintDeviceType", Serial: wsdID}},
	"hello with attributes": {wsd(`<d:Hello xmlns:x="y"><a:EndpointReference><a:Address>uuid:` + wsdID + `</a:Address></a:EndpointReference><d:Types>pub:Computer</d:Types></d:Hello>`),
		dissect.DeviceInfo{Protocol: "wsd", Class: "Computer", Serial: wsdID}},
	"notify": {"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=100\r\nLOCATION: http://192.0.2.7:80/description.xml\r\nSERVER: Linux/3.14 UPnP/1.0 IpBridge/1.60.0\r\n" +
		"NTS: ssdp:alive\r\nNT: urn:schemas-upnp-org:device:basic:1\r\nUSN: uuid:" + ssdpID + "::urn:schemas-upnp-org:device:basic:1\r\n\r\n",
		dissect.DeviceInfo{Protocol: "ssdp", IP: netip.MustParseAddr("192.0.2.7"), Class: "urn:schemas-upnp-org:device:basic:1", Name: "Linux/3.14 UPnP/1.0 IpBridge/1.60.0", Serial: ssdpID}},
	"response": {"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:" + ssdpID + "::upnp:rootdevice\r\nLocation: http://[fe80::7]:80/\r\n\r\n",
		dissect.DeviceInfo{Protocol: "ssdp", IP: netip.MustParseAddr("fe80::7"), Serial: ssdpID}},
}

func TestAnnouncements(t *testing.T) {
	for name, tc := range announcements {
		facts := dispatchtest.Datagrams(dissect.Ports{Client: 40000, Server: 40001}, []byte(tc.message))
		if got := dissecttest.FactsOf[dissect.DeviceInfo](facts); len(got) != 1 || got[0] != tc.want {
			t.Errorf("%s:\n%swant %+v", name, dissecttest.Dump(facts), tc.want)
		}
	}
}

func TestNoAnnouncement(t *testing.T) {
	for name, message := range map[string]string{
		"search of SSDP":     "M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\nST: urn:x\r\nUSN: uuid:1\r\n\r\n",
		"device that leaves": "NOTIFY * HTTP/1.1\r\nUSN: uuid:1::upnp:rootdevice\r\nNTS: ssdp:byebye\r\n\r\n",
		"nothing said":       "NOTIFY * HTTP/1.1\r\nusn: x\r\n\r\n",
		"HTTP":               "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
		"probe":              wsd(`<d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe>`),
		"bye":                wsd(`<d:Bye><a:EndpointReference><a:Address>urn:uuid:1</a:Address></a:EndpointReference></d:Bye>`),
		"SOAP":               strings.ReplaceAll(announcements["camera"].message, "2005/04/discovery", "2006/04/discovery"),
	} {
		facts := dispatchtest.Datagrams(dissect.Ports{Client: 40000, Server: 40001}, []byte(message))
		if len(dissecttest.FactsOf[dissect.DeviceInfo](facts)) > 0 {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

// fuzz feeds a discovery protocol with the announcements, whole and cut.
func fuzz(f *testing.F, p *announce.Protocol) {
	for _, x := range announcements {
		f.Add([]byte(x.message))
		f.Add([]byte(x.message[:len(x.message)/2]))
	}
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		p.New().Datagram(dissect.FromClient, b, func(x dissect.Fact) {
			if info := x.(*dissect.DeviceInfo); info.Protocol == "" || strings.ContainsAny(info.Model+info.Serial+info.Name+info.Class, "\x00\n\x1b") {
				t.Errorf("%+v", info)
			}
		})
	})
}

func FuzzSSDP(f *testing.F) { fuzz(f, &http.SSDP) }

func FuzzWSDiscovery(f *testing.F) { fuzz(f, &http.WSDiscovery) }
