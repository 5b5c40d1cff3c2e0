// SPDX-License-Identifier: Apache-2.0

package http

import (
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
)

func TestDigestDefaults(t *testing.T) {
	// The example of RFC 2617 section 3.5, whose password is no default.
	rfc := `username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1"`
	if got := md5Hex(md5Hex("Mufasa:testrealm@host.com:Circle Of Life") + string(digestEnd(md5Hex, "GET", []byte(rfc)))); got != "6629fae49393a05397450978507c4ef1" {
		t.Errorf("response %s", got)
	}
	for _, tc := range []struct {
		password, algorithm, more string
		defaults                  bool
	}{
		{"12345", "", "", true},
		{"12345", "MD5", "", true},
		{"12345", "MD5", `, qop=auth, nc=00000001, cnonce="c"`, true},
		{"12345", "MD5-sess", `, qop=auth, nc=00000001, cnonce="c"`, true},
		{"12345", "SHA-256", `, qop="auth", nc=00000001, cnonce="c"`, true},
		{"12345", "SHA-256-sess", `, qop=auth, nc=00000001, cnonce="c"`, true},
		{"12345", "SHA-512-256", "", false},
		{"12345", "MD5", `, qop=auth-int, nc=00000001, cnonce="c"`, false},
		{"Circle Of Life", "", "", false},
		{"Circle Of Life", "SHA-256", "", false},
	} {
		params := `username="admin", realm="IP Camera", nonce="n", uri="rtsp://10.0.0.1/"` + tc.more
		if tc.algorithm != "" {
			params += ", algorithm=" + tc.algorithm
		}
		sum, session := digestAlgorithm([]byte(tc.algorithm))
		if sum == nil {
			sum = md5Hex
		}
		ha1 := sum("admin:IP Camera:" + tc.password)
		if session {
			ha1 = sum(ha1 + ":n:c")
		}
		header := []byte("Digest " + params + `, response="` + sum(ha1+string(digestEnd(sum, "DESCRIBE", []byte(params)))) + `"`)
		c := readAuthorization("DESCRIBE", header)
		clear(header) // the check keeps no part of it
		if got := c.check.Default(); got != tc.defaults || c.defaults || c.cleartext || c.userHint != "in" {
			t.Errorf("%+v: %v %+v", tc, got, c)
		}
		for result, want := range map[dissect.Outcome]bool{dissect.OutcomeSuccess: tc.defaults, dissect.OutcomeFailure: false, dissect.OutcomeUnknown: false} {
			if got := new(authState).isDefault(&c, result); got != want {
				t.Errorf("%+v, %v: %v", tc, result, got)
			}
		}
	}
}

func TestTokenDefaults(t *testing.T) {
	// The digest is SHA-1 of "nonce", "2026-03-02T00:00:00Z" and the password.
	token := func(kind, user, password string) []byte {
		return []byte(`<s:Envelope><wsse:UsernameToken><wsse:Username>` + user + `</wsse:Username><wsse:Password Type="http://x#` + kind + `">` + password +
			`</wsse:Password><wsse:Nonce EncodingType="x">bm9uY2U=</wsse:Nonce><wsu:Created>2026-03-02T00:00:00Z</wsu:Created></wsse:UsernameToken>`)
	}
	for _, tc := range []struct {
		kind, user, password string
		defaults, cleartext  bool
	}{
		{"PasswordText", "admin", "12345", true, true},
		{"PasswordText", "admin", "Circle Of Life", false, true},
		{"PasswordDigest", "admin", "aJlGz+aMwoRR6cD9XsiEAgmtmMc=", true, false},
		{"PasswordDigest", "admin", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", false, false},
		{"PasswordDigest", "nobody", "aJlGz+aMwoRR6cD9XsiEAgmtmMc=", false, false},
	} {
		var c credentials
		body := token(tc.kind, tc.user, tc.password)
		c.readToken(body)
		clear(body)
		if got := new(authState).isDefault(&c, dissect.OutcomeSuccess); got != tc.defaults || c.cleartext != tc.cleartext || c.scheme != "wsse" {
			t.Errorf("%+v: %v %+v", tc, got, c)
		}
	}
}

// TestProofIsComparedOncePerAccount has a session with many accepted requests.
func TestProofIsComparedOncePerAccount(t *testing.T) {
	compared := 0
	var a authState
	for range 10 {
		c := credentials{scheme: "digest", account: 7, check: logins.NewCheck([]byte("admin"), func(string) bool { compared++; return true })}
		if !a.isDefault(&c, dissect.OutcomeSuccess) {
			t.Error("not a default")
		}
	}
	if compared != 1 {
		t.Errorf("%d comparisons", compared)
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
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		var ch challenges
		ch.read(b)
		if len(ch.realm) > 512 || ch.offered != 0 && !ch.any {
			t.Fatalf("%+v", ch)
		}
	})
}
