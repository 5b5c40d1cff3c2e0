// SPDX-License-Identifier: Apache-2.0

package planted

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// exchange is a session with a server. Turns that start with "<" are sent by the server.
type exchange struct {
	port  uint16
	turns []string
}

// webSecrets are sessions of HTTP that contain a secret, by what the secret is.
func webSecrets(p *Secrets) map[string]exchange {
	all := map[string]exchange{}
	web := func(use string, request func(secret string) string, replies ...string) {
		if len(replies) == 0 {
			replies = []string{said(200, "ok")}
		}
		all[use] = exchange{80, append([]string{request(p.New(use))}, replies...)}
	}
	header := func(h string) func(string) string {
		return func(s string) string {
			return "GET /a HTTP/1.1\r\nHost: cam\r\n" + fmt.Sprintf(h, s) + "\r\n\r\n"
		}
	}
	target := func(f string) func(string) string {
		return func(s string) string { return "GET " + fmt.Sprintf(f, s) + " HTTP/1.1\r\nHost: cam\r\n\r\n" }
	}
	web("http basic", func(s string) string { return get(basic("ops:" + s)) })
	web("http basic, refused", func(s string) string { return get(basic("ops:" + s)) }, said(401, "", `WWW-Authenticate: Basic realm="x"`))
	web("http bearer", header("Authorization: Bearer %s"))
	web("http unknown scheme", header("Authorization: %s"))
	web("http cookie", header("Cookie: session=%s"))
	web("http api key", header("X-Api-Key: %s"))
	web("http proxy", func(s string) string {
		return "GET http://h/ HTTP/1.1\r\nHost: h\r\nProxy-Authorization: " + basic("ops:"+s) + "\r\n\r\n"
	})
	web("http referer", header("Referer: http://h/?password=%s"))
	web("http user agent", header("User-Agent: curl http://ops:%s@h/"))
	web("query password", target("/login?user=ops&password=%s"))
	web("query pwd, escaped name", target("/login?user=ops&p%%77d=%s"))
	web("query token", target("/api?access_token=%s"))
	web("url with user", target("http://ops:%s@h/"))
	web("path with password", target("/user=ops_password=%s_channel=1"))
	all["set-cookie"] = exchange{80, []string{"GET / HTTP/1.1\r\nHost: cam\r\n\r\n", said(200, "ok", "Set-Cookie: WebSession_1="+p.New("set-cookie"))}}
	all["location"] = exchange{80, []string{"GET / HTTP/1.1\r\nHost: cam\r\n\r\n", said(302, "", "Location: http://ops:"+p.New("location")+"@h/?password="+p.New("location"))}}
	form := func(s string) string {
		body := "user=ops&password=" + s
		return fmt.Sprintf("POST /login HTTP/1.1\r\nHost: cam\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	web("form", form)
	web("form in JSON", func(s string) string { return posted("/login", `{"username":"ops","password":"`+s+`"}`) })
	web("soap PasswordText", func(s string) string {
		return posted("/onvif/device_service", `<Envelope><Header><Security><UsernameToken><Username>ops</Username><Password Type="http://x#PasswordText">`+s+
			`</Password></UsernameToken></Security></Header><Body><GetUsers xmlns="http://www.onvif.org/ver10/device/wsdl"/></Body></Envelope>`)
	})
	web("onvif CreateUsers", func(s string) string {
		return posted("/onvif/device_service", `<Envelope><Body><CreateUsers xmlns="http://www.onvif.org/ver10/device/wsdl"><User><Username>x</Username><Password>`+s+`</Password></User></CreateUsers></Body></Envelope>`)
	})
	web("isapi users", func(s string) string {
		return posted("/ISAPI/Security/users", "<User><userName>x</userName><password>"+s+"</password></User>")
	})
	web("rpc2 login", func(s string) string {
		return posted("/RPC2_Login", `{"id":2,"method":"global.login","params":{"password":"`+s+`","userName":"admin"}}`)
	}, said(200, `{"result":true,"id":2}`))
	web("http digest", header(`Authorization: Digest username="admin", realm="x", nonce="a", uri="/a", response="%s"`))
	web("http connect", func(s string) string {
		return "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nProxy-Authorization: " + basic("ops:"+s) + "\r\n\r\n"
	}, said(407, ""))
	web("isapi login", func(s string) string {
		return posted("/ISAPI/Security/sessionLogin", "<SessionLogin><userName>admin</userName><password>"+s+"</password></SessionLogin>")
	}, said(200, "<SessionLogin><statusValue>200</statusValue></SessionLogin>"))
	web("soap PasswordDigest", func(s string) string {
		return posted("/onvif/device_service", `<Envelope><Header><Security><UsernameToken><Username>admin</Username><Password Type="http://x#PasswordDigest">`+s+
			`</Password><Nonce>AAAA</Nonce><Created>2026-03-02T00:00:00Z</Created></UsernameToken></Security></Header><Body><GetUsers xmlns="http://www.onvif.org/ver10/device/wsdl"/></Body></Envelope>`)
	})
	web("csrf header", header("X-CSRF-Token: %s"))
	web("form, default user", func(s string) string { return posted("/login", "username=admin&password="+s) })
	return all
}

// talk is a session of which the turns that begin with "<" are sent by the server. It returns when it ended.
func talk(n *netsim.Net, at time.Time, from, to *netsim.Host, port uint16, turns ...string) time.Time {
	c := n.Dial(at, from, to, port)
	for _, text := range turns {
		if reply, ok := strings.CutPrefix(text, "<"); ok {
			c.Reply([]byte(reply))
			continue
		}
		c.Wait(time.Millisecond)
		c.Send([]byte(text))
	}
	return c.Close()
}

func get(authorization string) string {
	return "GET /ISAPI/System/status HTTP/1.1\r\nHost: cam\r\nAuthorization: " + authorization + "\r\n\r\n"
}

func said(status int, body string, fields ...string) string {
	return fmt.Sprintf("<HTTP/1.1 %d x\r\n%sContent-Length: %d\r\n\r\n%s", status, strings.Join(append(fields, ""), "\r\n"), len(body), body)
}

func posted(target, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: cam\r\nContent-Length: %d\r\n\r\n%s", target, len(body), body)
}

func basic(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
