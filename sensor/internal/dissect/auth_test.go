// SPDX-License-Identifier: Apache-2.0

package dissect

import "testing"

func TestDigestDefaults(t *testing.T) {
	// The example of RFC 2617 section 3.5, and of RFC 2069 form; neither password is a default.
	rfc := `username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1"`
	sum := digestResponse([]byte("Mufasa"), []byte("testrealm@host.com"), "Circle Of Life", digestEnd("GET", []byte(rfc)))
	if string(sum[:]) != "6629fae49393a05397450978507c4ef1" {
		t.Errorf("response %s", sum)
	}
	for _, tc := range []struct {
		password, algorithm string
		defaults            bool
	}{{"12345", "", true}, {"12345", ", algorithm=MD5", true}, {"12345", ", algorithm=SHA-256", false}, {"Circle Of Life", "", false}} {
		params := `username="admin", realm="IP Camera", nonce="n", uri="rtsp://10.0.0.1/"` + tc.algorithm
		sum := digestResponse([]byte("admin"), []byte("IP Camera"), tc.password, digestEnd("DESCRIBE", []byte(params)))
		c := readAuthorization("DESCRIBE", []byte("Digest "+params+`, response="`+string(sum[:])+`"`))
		if c.defaults != tc.defaults || c.cleartext || c.userHint != "in" {
			t.Errorf("%+v: %+v", tc, c)
		}
	}
}

func TestOutcome(t *testing.T) {
	for _, tc := range []struct {
		scheme string
		status int
		stale  bool
		want   Outcome
	}{
		{"", 401, false, OutcomeUnknown}, {"basic", 401, false, OutcomeFailure}, {"digest", 401, true, OutcomeUnknown}, {"basic", 403, false, OutcomeFailure},
		{"ntlm", 401, false, OutcomeUnknown}, {"ntlm", 200, false, OutcomeSuccess}, {"basic", 302, false, OutcomeSuccess}, {"basic", 500, false, OutcomeUnknown},
		{"form", 200, false, OutcomeUnknown}, {"form", 401, false, OutcomeFailure}, {"", 200, false, OutcomeUnknown},
	} {
		if got := (credentials{scheme: tc.scheme}).outcome(tc.status, tc.stale); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}
