// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"net/netip"
	"strings"
	"testing"
)

// fuzzStream feeds a dissector of TCP streams without identification before it, so that the fuzzer need not find the
// opening, at once and cut into bytes: both must give the same.
func fuzzStream(f *testing.F, open func() streamDissector, seeds ...[]turn) {
	for _, turns := range seeds {
		var b []byte
		for _, t := range turns {
			b = append(b, chunk(t)...)
		}
		f.Add(b)
	}
	feed := func(t *testing.T, turns []turn, step int) []Fact {
		d := open()
		var facts []Fact
		sink := func(f Fact) { facts = append(facts, f) }
		var heads [2][]byte
		wants := [2]int{1, 1}
		give := func(dir int, final bool) {
			if wants[dir] == 0 || !final && len(heads[dir]) < wants[dir] {
				return
			}
			want := d.feed(dir, heads[dir], final, sink)
			if want != 0 && want <= len(heads[dir]) && !final {
				t.Fatalf("wants %d of %d bytes", want, len(heads[dir]))
			}
			wants[dir] = want
		}
		for _, turn := range turns {
			for i := 0; i < len(turn.data); i += step {
				heads[turn.dir] = append(heads[turn.dir], turn.data[i:min(i+step, len(turn.data))]...)
				give(turn.dir, false)
			}
		}
		give(FromClient, true)
		give(FromServer, true)
		return facts
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		turns := chunks(b)
		whole, cut := feed(t, turns, 1<<14), feed(t, turns, 1)
		if dump(whole) != dump(cut) {
			t.Fatalf("cut into bytes:\n%s\nat once:\n%s", dump(cut), dump(whole))
		}
		if len(whole) > 4*maxStreamMessages {
			t.Fatalf("%d facts", len(whole))
		}
	})
}

func FuzzHTTP(f *testing.F) {
	var seeds [][]turn
	for _, c := range httpCases {
		seeds = append(seeds, c.turns)
	}
	seeds = append(seeds, []turn{client(request("CONNECT a:1 HTTP/1.1")), server("HTTP/1.1 200 OK\r\n\r\n"), client(helloHead)})
	fuzzStream(f, func() streamDissector { return new(httpStream) }, seeds...)
}

func FuzzRTSP(f *testing.F) {
	fuzzStream(f, func() streamDissector { return new(rtspStream) },
		[]turn{client(request("PLAY rtsp://a/ RTSP/1.0", "CSeq: 5", "Authorization: Basic YTpi")), server("$\x00\x00\x04RTSP" + request("RTSP/1.0 200 OK", "CSeq: 5"))})
}

func FuzzDNSStream(f *testing.F) {
	fuzzStream(f, func() streamDissector { return new(dnsStream) }, []turn{server("\x00\xff" + string(dnsResponse(f)))})
}

func FuzzTelnet(f *testing.F) {
	fuzzStream(f, func() streamDissector { return new(telnetStream) }, loginCases["telnet: asked again, said incorrect, then a prompt"].turns)
}

func FuzzGreeting(f *testing.F) {
	fuzzStream(f, func() streamDissector { return &lineStream{proto: new(greeting)} },
		loginCases["ftp: wrong, then right"].turns, loginCases["smtp: plain refused, login accepted"].turns)
}

func FuzzPOP3(f *testing.F) {
	fuzzStream(f, func() streamDissector { return &lineStream{proto: newPOP3()} }, loginCases["pop3"].turns)
}

func FuzzRedis(f *testing.F) {
	fuzzStream(f, func() streamDissector { return openRedis(nil) },
		[]turn{client(redisArray("PING") + redisArray("AUTH", "a") + "AUTH b\r\n"), server("*2\r\n$1\r\na\r\n%0\r\n-WRONGPASS no\r\n>1\r\n+a\r\n+OK\r\n")})
}

func FuzzIMAP(f *testing.F) {
	fuzzStream(f, func() streamDissector { return &lineStream{proto: newIMAP()} }, loginCases["imap"].turns)
}

func FuzzSOCKS(f *testing.F) {
	fuzzStream(f, func() streamDissector { return new(socksStream) },
		[]turn{client("\x05\x01\x02"), server("\x05\x02"), client("\x01\x01a\x01b"), server("\x01\x00"), client("\x05\x01\x00\x03\x01a\x01\xbb"), server("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")},
		[]turn{client("\x04\x01\x00\x50\x00\x00\x00\x01u\x00name\x00"), server("\x00\x5a\x00\x00\x00\x00\x00\x00")})
}

func FuzzUpgrade(f *testing.F) {
	fuzzStream(f, func() streamDissector { return openRDP(nil) },
		[]turn{client("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"), server("\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x01\x00\x00\x00"), client(helloHead)})
}

func FuzzDNS(f *testing.F) {
	f.Add(dnsResponse(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, records, ok := readDNS(b, "", true)
		if !ok {
			return
		}
		if len(m.Answers) > maxAnswers || len(records.services) > maxServices || len(m.QName) > 4*255 || !isPlain([]byte(m.QName)) {
			t.Fatalf("%+v", m)
		}
	})
}

func FuzzDHCP(f *testing.F) {
	f.Add(dhcpPacket(53, "\x03", 52, "\x03", 55, "\x01\x03\x06", 12, "cam"))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := string(b)
		if m, ok := readDHCP(b); ok && (len(m.Hostname) > 4*255 || len(m.ParamList) > len(b)) {
			t.Fatalf("%+v", m)
		}
		if string(b) != before {
			t.Fatal("the datagram was written to")
		}
	})
}

func FuzzDHCPv6(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x01\x00\x01\x00\x0a\x00\x03\x00\x01\x02\x00\x00\x00\x00\x05"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := readDHCPv6(b); ok && (len(m.Addrs) > maxDHCP6Addrs || len(m.OptionRequest) > maxOptionCodes) {
			t.Fatalf("%+v", m)
		}
	})
}

func FuzzNTP(f *testing.F) {
	f.Add([]byte("\x23" + strings.Repeat("\x00", 47)))
	f.Fuzz(func(t *testing.T, b []byte) {
		new(ntpDatagrams).datagram(FromClient, b, func(x Fact) {
			if m := x.(*NTPMessage); m.Mode == 0 || m.Mode > 7 {
				t.Fatalf("%+v", m)
			}
		})
	})
}

func FuzzARP(f *testing.F) {
	f.Add([]byte("\x00\x01\x08\x00\x06\x04\x00\x01abcdefghijklmnopqrst"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := ParseARP(b, [6]byte{}, [6]byte{}); ok && (m.Probe && m.Gratuitous || !m.SenderIP.Is4()) {
			t.Fatalf("%+v", m)
		}
	})
}

func FuzzND(f *testing.F) {
	f.Add(append([]byte{136, 0, 0, 0, 0x60, 0, 0, 0}, "0123456789abcdef\x02\x01abcdef"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := ParseND(b, netip.Addr{}, netip.Addr{}, [6]byte{}); ok && len(m.Prefixes) > maxPrefixes {
			t.Fatalf("%d prefixes", len(m.Prefixes))
		}
	})
}

func FuzzMaskURI(f *testing.F) {
	f.Add("/cgi?user=admin&n=1", "&a=b")
	f.Add("rtsp://u:p@10.0.0.1/a", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "Tr0ub4dor"
		if strings.Contains(before+after, "0") {
			return // the secret could come together from the parts
		}
		if got := maskURI([]byte(before + "?password=" + secret + "&" + after)); strings.Contains(got, secret) {
			t.Fatalf("kept in %q", got)
		}
	})
}
