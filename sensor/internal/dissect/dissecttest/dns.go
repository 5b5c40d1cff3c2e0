// SPDX-License-Identifier: Apache-2.0

package dissecttest

import (
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// PackDNS returns the bytes of a DNS message.
func PackDNS(t testing.TB, m dnsmessage.Message) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// DNSQuestion returns one question of class IN.
func DNSQuestion(name string, kind dnsmessage.Type) []dnsmessage.Question {
	return []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}}
}

// DNSHeader returns the header of a record of class IN.
func DNSHeader(name string, kind dnsmessage.Type) dnsmessage.ResourceHeader {
	return dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET, TTL: 60}
}

// DNSResponse returns a response with records of five types.
func DNSResponse(t testing.TB) []byte {
	return PackDNS(t, dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, Response: true},
		Questions: DNSQuestion("WWW.Example.com.", dnsmessage.TypeA),
		Answers: []dnsmessage.Resource{
			{Header: DNSHeader("www.example.com.", dnsmessage.TypeCNAME), Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("e.example.net.")}},
			{Header: DNSHeader("e.example.net.", dnsmessage.TypeA), Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}},
			{Header: DNSHeader("e.example.net.", dnsmessage.TypeAAAA), Body: &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2001:db8::1").As16()}},
			{Header: DNSHeader("e.example.net.", dnsmessage.TypeMX), Body: &dnsmessage.MXResource{Pref: 5, MX: dnsmessage.MustNewName("m.example.net.")}},
			{Header: DNSHeader("e.example.net.", dnsmessage.TypeTXT), Body: &dnsmessage.TXTResource{TXT: []string{"a=1", "b\x01"}}},
		},
	})
}
