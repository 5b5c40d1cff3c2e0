// SPDX-License-Identifier: Apache-2.0

package quic_test

import (
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/quic"
)

func TestGoogleQUIC(t *testing.T) {
	head := "\x0dIDIDIDIDQ043\x01" + strings.Repeat("h", 12) + "\xa0\x01\x04\x00"
	for _, x := range []struct{ name, hello, want string }{
		{"hello", quic.GoogleHello("cam7.example"), "cam7.example"},
		{"no hello", "REJ\x00", ""},
		{"table is cut", quic.GoogleHello("x")[:20], ""},
		{"value is cut", quic.GoogleHello("cam7.example")[:40], ""},
		{"too many tags", "CHLO\xff\xff\x00\x00" + strings.Repeat("x", 100), ""},
		{"ends run backwards", strings.Replace(quic.GoogleHello("x"), "PAD\x00\x04", "PAD\x00\x09", 1), ""},
	} {
		facts := dispatchtest.Datagrams(dissect.Ports{Client: 40000, Server: 443}, []byte(head+x.hello))
		got := ""
		if h := dissecttest.FactsOf[dissect.TLSClientHello](facts); len(h) == 1 {
			got = h[0].SNI
		}
		if got != x.want || dissecttest.AppOf(facts) != "quic" {
			t.Errorf("%s: %s", x.name, dissecttest.Dump(facts))
		}
	}
}
