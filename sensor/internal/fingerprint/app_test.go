// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
)

// TestAppChangesOnlyWithNewFacts checks which facts change what is known, that those that do not give the same App back, and that no App is
// changed by what is learned after it.
func TestAppChangesOnlyWithNewFacts(t *testing.T) {
	known := new(App)
	for i, tc := range []struct {
		fact    dissect.Fact
		changes bool
	}{
		{&dissect.AppID{Name: "tls"}, true},
		{&dissect.AppID{Name: "tls"}, false},
		{&dissect.QUICInitial{}, false},
		{&dissect.HTTPExchange{URI: "/a"}, true},
		{&dissect.HTTPExchange{URI: "/a", Status: 200}, true},
		{&dissect.HTTPExchange{URI: "/b", Index: 1}, false},
		{&dissect.RTSPExchange{Index: 1}, false},
		{&dissect.RTSPExchange{}, true},
		{&dissect.DNSMessage{QName: "a"}, true},
		{&dissect.DNSMessage{QName: "b"}, false},
		{&dissect.DNSMessage{QName: "a", Response: true}, true},
		{&dissect.DNSMessage{QName: "b", Response: true}, false},
		{&dissect.TLSCertificate{SHA256: "1"}, true},
		{&dissect.TLSCertificate{SHA256: "2"}, false},
		{&dissect.Banner{Text: "a"}, false},
		{&dissect.SSHAuth{Failures: 1}, true},
		{&dissect.SSHAuth{Failures: 2}, true},
		{&dissect.Login{Protocol: "ftp"}, false},
		{&dissect.NTPMessage{}, false},
	} {
		before := *known
		next := known.With(tc.fact)
		if (next != known) != tc.changes || (*next != before) != tc.changes || *known != before {
			t.Errorf("%d: %T: changed %v, want %v", i, tc.fact, next != known, tc.changes)
		}
		known = next
	}
}
