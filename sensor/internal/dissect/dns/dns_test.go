// SPDX-License-Identifier: Apache-2.0

package dns_test

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func TestDNS(t *testing.T) {
	query := dissecttest.PackDNS(t, dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true}, Questions: dissecttest.DNSQuestion("WWW.Example.com.", dnsmessage.TypeA)})
	answers := []dissect.DNSAnswer{
		{Name: "www.example.com", Type: "CNAME", Data: "e.example.net", TTL: 60},
		{Name: "e.example.net", Type: "A", Data: "192.0.2.1", TTL: 60, Addr: netip.MustParseAddr("192.0.2.1")},
		{Name: "e.example.net", Type: "AAAA", Data: "2001:db8::1", TTL: 60, Addr: netip.MustParseAddr("2001:db8::1")},
		{Name: "e.example.net", Type: "MX", Data: "5 m.example.net", TTL: 60},
		{Name: "e.example.net", Type: "TXT", Data: "a=1 b.", TTL: 60},
	}
	response := dissecttest.DNSResponse(t)
	want := []dissect.DNSMessage{
		{ID: 7, QName: "www.example.com", QType: "A"},
		{ID: 7, QName: "www.example.com", QType: "A", Response: true, RCode: "NOERROR", Answers: answers},
	}
	for _, ports := range []dissect.Ports{{Client: 40000, Server: 53}, {Client: 40000, Server: 9953}} {
		facts := dispatchtest.Datagrams(ports, query, response)
		if got := dissecttest.FactsOf[dissect.DNSMessage](facts); dissecttest.AppOf(facts) != "dns" || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: app %q, got %+v", ports, dissecttest.AppOf(facts), got)
		}
	}
	framed := func(b []byte) string { return string(binary.BigEndian.AppendUint16(nil, uint16(len(b)))) + string(b) }
	facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 53}, []turn{client(framed(query)), server(framed(response))})
	want[0].TCP, want[1].TCP = true, true
	if got := dissecttest.FactsOf[dissect.DNSMessage](facts); dissecttest.AppOf(facts) != "dns" || !reflect.DeepEqual(got, want) {
		t.Errorf("over TCP: app %q, got %+v", dissecttest.AppOf(facts), got)
	}
}

func TestDNSHostileNames(t *testing.T) {
	head := "\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	for name, tc := range map[string]struct{ body, qname string }{
		"pointer to itself":      {"\xc0\x0c\x00\x01\x00\x01", ""},
		"pointer forwards":       {"\xc0\x20\x00\x01\x00\x01", ""},
		"label beyond the end":   {"\x3fabc", ""},
		"reserved label kind":    {"\x80abc\x00\x00\x01\x00\x01", ""},
		"bytes that are no text": {"\x03a.\xff\x00\x00\x01\x00\x01", `a\.\255`},
		"too long":               {strings.Repeat("\x3f"+strings.Repeat("a", 63), 5) + "\x00\x00\x01\x00\x01", ""},
	} {
		facts := dissecttest.FactsOf[dissect.DNSMessage](dispatchtest.Datagrams(dissect.Ports{Client: 1, Server: 53}, []byte(head+tc.body)))
		switch {
		case tc.qname == "" && len(facts) != 0:
			t.Errorf("%s: read %+v", name, facts[0])
		case tc.qname != "" && (len(facts) != 1 || facts[0].QName != tc.qname):
			t.Errorf("%s: got %+v", name, facts)
		}
	}
}

func TestMDNS(t *testing.T) {
	service, instance := "_axis-video._tcp.local.", "Front Door._axis-video._tcp.local."
	b := dissecttest.PackDNS(t, dnsmessage.Message{
		Header:  dnsmessage.Header{Response: true, Authoritative: true},
		Answers: []dnsmessage.Resource{{Header: dissecttest.DNSHeader(service, dnsmessage.TypePTR), Body: &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(instance)}}},
		Additionals: []dnsmessage.Resource{
			{Header: dissecttest.DNSHeader(instance, dnsmessage.TypeSRV), Body: &dnsmessage.SRVResource{Port: 80, Target: dnsmessage.MustNewName("Axis-ACCC8E.local.")}},
			{Header: dissecttest.DNSHeader(instance, dnsmessage.TypeTXT), Body: &dnsmessage.TXTResource{TXT: []string{"macaddress=ACCC8E123456", "Flag", "flag=2", "=x"}}},
		},
	})
	facts := dispatchtest.Datagrams(dissect.Ports{Client: 5353, Server: 5353}, b)
	want := []dissect.ServiceAnnouncement{{Service: "_axis-video._tcp", Instance: "Front Door", Host: "axis-accc8e.local", Port: 80, TXT: map[string]string{"macaddress": "ACCC8E123456", "flag": ""}}}
	if got := dissecttest.FactsOf[dissect.ServiceAnnouncement](facts); dissecttest.AppOf(facts) != "mdns" || !reflect.DeepEqual(got, want) {
		t.Errorf("app %q, got %+v", dissecttest.AppOf(facts), got)
	}
	if m := dissecttest.FactsOf[dissect.DNSMessage](facts); len(m) != 1 || !m[0].MDNS || len(m[0].Answers) != 3 {
		t.Errorf("message %+v", m)
	}
}
