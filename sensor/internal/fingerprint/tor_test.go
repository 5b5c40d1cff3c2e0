// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"testing"
	"time"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
)

func torApp() *App {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &App{Name: "tls", Hello: &Hello{SNI: "www.7gkq2mv4xzt.com"}, Cert: &dissect.TLSCertificate{
		Subject: "CN=www.b3tzq7nhvw5m.net", Issuer: "CN=www.kc6sy2prdh.com", NotBefore: begin, NotAfter: begin.AddDate(0, 4, 0)}}
}

func TestTor(t *testing.T) {
	old := torApp()
	old.Cert.Issuer = "CN=www.kc6sy2prdh.net"
	if !torApp().Tor() || !old.Tor() {
		t.Error("a relay is not recognized")
	}
	for name, change := range map[string]func(*App){
		"no hello":                 func(a *App) { a.Hello = nil },
		"no certificate":           func(a *App) { a.Cert = nil },
		"no name asked for":        func(a *App) { a.Hello.SNI = "" },
		"a name with a hyphen":     func(a *App) { a.Hello.SNI = "www.my-shop.com" },
		"another domain":           func(a *App) { a.Hello.SNI = "www.7gkq2mv4xzt.org" },
		"a subdomain":              func(a *App) { a.Hello.SNI = "www.a2.7gkq2mv4.com" },
		"ALPN":                     func(a *App) { a.Hello.ALPN = []string{"h2"} },
		"a certificate of a site":  func(a *App) { a.Cert.Subject = "CN=www.7gkq2mv4xzt.com" },
		"self-signed":              func(a *App) { a.Cert.Issuer = a.Cert.Subject },
		"an authority":             func(a *App) { a.Cert.Issuer = "CN=R11,O=Let's Encrypt,C=US" },
		"an organization":          func(a *App) { a.Cert.Subject = "CN=www.b3tzq7nhvw5m.net,O=Example" },
		"alternative names":        func(a *App) { a.Cert.DNSNames = []string{"www.b3tzq7nhvw5m.net"} },
		"valid for ten years":      func(a *App) { a.Cert.NotAfter = a.Cert.NotBefore.AddDate(10, 0, 0) },
		"no validity":              func(a *App) { a.Cert.NotBefore, a.Cert.NotAfter = time.Time{}, time.Time{} },
		"a short name":             func(a *App) { a.Cert.Subject = "CN=www.shop.net" },
		"the issuer is asked for":  func(a *App) { a.Hello.SNI = "www.kc6sy2prdh.com" },
		"the subject is asked for": func(a *App) { a.Hello.SNI = "www.b3tzq7nhvw5m.com" },
		"digits that base32 lacks": func(a *App) { a.Cert.Subject = "CN=www.b3tzq7nhv089.net" },
	} {
		a := torApp()
		if change(a); a.Tor() {
			t.Errorf("%s: taken for a relay of Tor", name)
		}
	}
	var none *App
	if none.Tor() {
		t.Error("no application is a relay of Tor")
	}
}

func FuzzTor(f *testing.F) {
	a := torApp()
	f.Add(a.Hello.SNI, a.Cert.Subject, a.Cert.Issuer)
	mutate.Fuzz(f, func(t *testing.T, sni, subject, issuer string) {
		a := torApp()
		a.Hello.SNI, a.Cert.Subject, a.Cert.Issuer = sni, subject, issuer
		if a.Tor() && (len(sni) < 12 || len(subject) < 19 || len(issuer) < 19) {
			t.Fatalf("%q %q %q", sni, subject, issuer)
		}
	})
}
