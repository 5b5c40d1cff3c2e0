// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"cmp"
	"strings"
	"time"
)

// torLifetime is the longest validity of a certificate of a relay, with a day of margin.
const torLifetime = 366 * 24 * time.Hour

// Tor reports whether the hello and the certificate are those of a relay of Tor before TLS 1.3, which hides the certificate: names without
// meaning in three places. The client asks for www.X.com, the certificate is that of www.Y.net by www.Z.com (older relays: www.Z.net)
// and names nothing else, and it is valid for a year at most. X has 4 to 25 characters of base32, Y and Z 8 to 20 (crypto_random_hostname and its
// callers in the source of Tor).
func (a *App) Tor() bool {
	if a == nil || a.Hello == nil || a.Cert == nil || len(a.Cert.DNSNames) > 0 || len(a.Hello.ALPN) > 0 {
		return false
	}
	c, life := a.Cert, a.Cert.NotAfter.Sub(a.Cert.NotBefore)
	asked, subject, issuer := torName(a.Hello.SNI, ".com", 4, 25), torCN(c.Subject, ".net"), cmp.Or(torCN(c.Issuer, ".com"), torCN(c.Issuer, ".net"))
	return asked != "" && subject != "" && issuer != "" && subject != issuer && asked != subject && asked != issuer &&
		!c.NotBefore.IsZero() && life > 0 && life <= torLifetime
}

// torCN returns the random part of a name that is a common name and nothing else.
func torCN(name, domain string) string {
	cn, ok := strings.CutPrefix(name, "CN=")
	if !ok {
		return ""
	}
	return torName(cn, domain, 8, 20)
}

// torName returns the random part of a host name: base32 in small letters (RFC 4648 section 6), "" if it is of another form.
func torName(host, domain string, least, most int) string {
	s, www := strings.CutPrefix(host, "www.")
	s, end := strings.CutSuffix(s, domain)
	if !www || !end || len(s) < least || len(s) > most || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") != "" || strings.ContainsRune(s, '.') {
		return ""
	}
	return s
}
