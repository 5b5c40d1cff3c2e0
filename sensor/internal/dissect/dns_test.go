// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func mustPack(t testing.TB, m dnsmessage.Message) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func question(name string, kind dnsmessage.Type) []dnsmessage.Question {
	return []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}}
}

func header(name string, kind dnsmessage.Type) dnsmessage.ResourceHeader {
	return dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET, TTL: 60}
}

// datagrams feeds UDP payloads, all from the client.
func datagrams(ports Ports, payloads ...[]byte) []Fact {
	var c Conversation
	c.Reset(ports, nil)
	var facts []Fact
	for _, p := range payloads {
		own := append([]byte(nil), p...)
		more := c.Datagram(FromClient, own, func(f Fact) { facts = append(facts, f) })
		for i := range own {
			own[i] = 0xee
		}
		if !more {
			break
		}
	}
	return facts
}

func dnsResponse(t testing.TB) []byte {
	return mustPack(t, dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, Response: true},
		Questions: question("WWW.Example.com.", dnsmessage.TypeA),
		Answers: []dnsmessage.Resource{
			{Header: header("www.example.com.", dnsmessage.TypeCNAME), Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("e.example.net.")}},
			{Header: header("e.example.net.", dnsmessage.TypeA), Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}},
			{Header: header("e.example.net.", dnsmessage.TypeAAAA), Body: &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2001:db8::1").As16()}},
			{Header: header("e.example.net.", dnsmessage.TypeMX), Body: &dnsmessage.MXResource{Pref: 5, MX: dnsmessage.MustNewName("m.example.net.")}},
			{Header: header("e.example.net.", dnsmessage.TypeTXT), Body: &dnsmessage.TXTResource{TXT: []string{"a=1", "b\x01"}}},
		},
	})
}

func TestDNS(t *testing.T) {
	query := mustPack(t, dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true}, Questions: question("WWW.Example.com.", dnsmessage.TypeA)})
	answers := []DNSAnswer{
		{Name: "www.example.com", Type: "CNAME", Data: "e.example.net", TTL: 60},
		{Name: "e.example.net", Type: "A", Data: "192.0.2.1", TTL: 60, Addr: netip.MustParseAddr("192.0.2.1")},
		{Name: "e.example.net", Type: "AAAA", Data: "2001:db8::1", TTL: 60, Addr: netip.MustParseAddr("2001:db8::1")},
		{Name: "e.example.net", Type: "MX", Data: "5 m.example.net", TTL: 60},
		{Name: "e.example.net", Type: "TXT", Data: "a=1 b.", TTL: 60},
	}
	response := dnsResponse(t)
	want := []DNSMessage{
		{ID: 7, QName: "www.example.com", QType: "A"},
		{ID: 7, QName: "www.example.com", QType: "A", Response: true, RCode: "NOERROR", Answers: answers},
	}
	for _, ports := range []Ports{{40000, 53}, {40000, 9953}} {
		facts := datagrams(ports, query, response)
		if got := factsOf[DNSMessage](facts); appOf(facts) != "dns" || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: app %q, got %+v", ports, appOf(facts), got)
		}
	}
	framed := func(b []byte) string { return string(binary.BigEndian.AppendUint16(nil, uint16(len(b)))) + string(b) }
	facts := sameHoweverCut(t, Ports{40000, 53}, []turn{client(framed(query)), server(framed(response))})
	want[0].TCP, want[1].TCP = true, true
	if got := factsOf[DNSMessage](facts); appOf(facts) != "dns" || !reflect.DeepEqual(got, want) {
		t.Errorf("over TCP: app %q, got %+v", appOf(facts), got)
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
		facts := factsOf[DNSMessage](datagrams(Ports{1, 53}, []byte(head+tc.body)))
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
	b := mustPack(t, dnsmessage.Message{
		Header:  dnsmessage.Header{Response: true, Authoritative: true},
		Answers: []dnsmessage.Resource{{Header: header(service, dnsmessage.TypePTR), Body: &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(instance)}}},
		Additionals: []dnsmessage.Resource{
			{Header: header(instance, dnsmessage.TypeSRV), Body: &dnsmessage.SRVResource{Port: 80, Target: dnsmessage.MustNewName("Axis-ACCC8E.local.")}},
			{Header: header(instance, dnsmessage.TypeTXT), Body: &dnsmessage.TXTResource{TXT: []string{"macaddress=ACCC8E123456", "Flag", "flag=2", "=x"}}},
		},
	})
	facts := datagrams(Ports{5353, 5353}, b)
	want := []ServiceAnnouncement{{Service: "_axis-video._tcp", Instance: "Front Door", Host: "axis-accc8e.local", Port: 80, TXT: map[string]string{"macaddress": "ACCC8E123456", "flag": ""}}}
	if got := factsOf[ServiceAnnouncement](facts); appOf(facts) != "mdns" || !reflect.DeepEqual(got, want) {
		t.Errorf("app %q, got %+v", appOf(facts), got)
	}
	if m := factsOf[DNSMessage](facts); len(m) != 1 || !m[0].MDNS || len(m[0].Answers) != 3 {
		t.Errorf("message %+v", m)
	}
}
