// SPDX-License-Identifier: Apache-2.0

package http

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
)

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

func TestAuthorizationOutcome(t *testing.T) {
	const both = `Digest realm="x", nonce="n2", qop="auth", Basic realm="y"`
	for _, tc := range []struct {
		authorization string
		status        int
		challenge     string
		want          dissect.Outcome
	}{
		{"", 401, "Basic realm=x", dissect.OutcomeUnknown},
		{"", 200, "", dissect.OutcomeUnknown},
		{"Basic YTpi", 401, "", dissect.OutcomeFailure},
		{"Basic YTpi", 401, "Basic realm=x", dissect.OutcomeFailure},
		{"Basic YTpi", 401, both, dissect.OutcomeFailure},
		{"Basic YTpi", 401, `Digest realm="Basic, x", nonce="n"`, dissect.OutcomeUnknown},
		{"Basic YTpi", 401, "Bearer", dissect.OutcomeUnknown},
		{"Basic YTpi", 403, "", dissect.OutcomeUnknown},
		{"Basic YTpi", 404, "", dissect.OutcomeUnknown},
		{"Basic YTpi", 407, "", dissect.OutcomeUnknown},
		{"Basic YTpi", 302, "", dissect.OutcomeUnknown},
		{"Basic YTpi", 304, "", dissect.OutcomeSuccess},
		{"Basic YTpi", 200, "", dissect.OutcomeSuccess},
		{"Basic YTpi", 500, "", dissect.OutcomeUnknown},
		{`Digest username="a", nonce="n1"`, 401, both, dissect.OutcomeFailure},
		{`Digest username="a", nonce="n1"`, 401, `Digest realm="x", nonce="n1", stale=true`, dissect.OutcomeUnknown},
		{`Digest username="a", nonce="n1"`, 401, `Digest realm="x" , nonce="n1",stale = "TRUE"`, dissect.OutcomeUnknown},
		{`Digest username="a", nonce="n1"`, 401, `Digest realm="x", nonce="n1", stale="FALSE"`, dissect.OutcomeFailure},
		{`Digest username="a", nonce="n1", nc=00000001`, 401, both, dissect.OutcomeFailure},
		{`Digest username="a", nonce="n1", nc=0000000a`, 401, both, dissect.OutcomeUnknown},
		{`Digest username="a", nonce="n2", nc=0000000a`, 401, both, dissect.OutcomeFailure},
		{`Digest username="a", nonce="n1"`, 401, "Basic realm=x", dissect.OutcomeUnknown},
		{"NTLM TlRMTVNTUAABAAAA", 401, "NTLM TlRMTVNTUAACAAAA", dissect.OutcomeUnknown},
		{"NTLM TlRMTVNTUAABAAAA", 200, "", dissect.OutcomeUnknown},
		{"NTLM TlRMTVNTUAADAAAA", 401, "NTLM", dissect.OutcomeFailure},
		{"NTLM TlRMTVNTUAADAAAA", 200, "", dissect.OutcomeSuccess},
		{"Negotiate YIIabc", 401, "Negotiate oYG2", dissect.OutcomeUnknown},
		{"Bearer abc", 401, `Bearer error="invalid_token"`, dissect.OutcomeUnknown},
		{"s3cret", 401, "", dissect.OutcomeUnknown},
	} {
		var c credentials
		if tc.authorization != "" {
			c = readAuthorization("GET", []byte(tc.authorization))
		}
		var asked challenges
		asked.read([]byte(tc.challenge))
		if got := new(authState).outcome(&c, tc.status, &asked); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
	for status, want := range map[int]dissect.Outcome{200: dissect.OutcomeUnknown, 302: dissect.OutcomeUnknown, 401: dissect.OutcomeFailure, 403: dissect.OutcomeFailure} {
		if got := new(authState).outcome(&credentials{scheme: "form"}, status, new(challenges)); got != want {
			t.Errorf("form, %d: %v", status, got)
		}
	}
}

// TestRefusalAfterAcceptanceIsNoFailure checks that credentials which were accepted once in a session do not count as wrong later.
func TestRefusalAfterAcceptanceIsNoFailure(t *testing.T) {
	var a authState
	say := func(authorization string, status int, challenge string) dissect.Outcome {
		c := readAuthorization("GET", []byte(authorization))
		var asked challenges
		asked.read([]byte(challenge))
		return a.outcome(&c, status, &asked)
	}
	for i, tc := range []struct {
		authorization string
		status        int
		want          dissect.Outcome
	}{
		{`Digest username="a", nonce="1"`, 401, dissect.OutcomeFailure},
		{`Digest username="a", nonce="1"`, 200, dissect.OutcomeSuccess},
		{`Digest username="a", nonce="1"`, 401, dissect.OutcomeUnknown},
		{`Digest username="b", nonce="1"`, 401, dissect.OutcomeFailure},
		{"Basic YTpi", 200, dissect.OutcomeSuccess},
		{"Basic YTpi", 401, dissect.OutcomeUnknown},
		{"Basic YTpj", 401, dissect.OutcomeFailure},
	} {
		if got := say(tc.authorization, tc.status, ""); got != tc.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add([]byte(`Digest realm="a\"b", nonce=x, Basic realm=y, NTLM TlRMTVNTUAACAAAA==`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var ch challenges
		ch.read(b)
		if len(ch.realm) > 512 || ch.offered != 0 && !ch.any {
			t.Fatalf("%+v", ch)
		}
	})
}
