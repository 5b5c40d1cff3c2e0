// SPDX-License-Identifier: Apache-2.0

package fingerprint_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	. "stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
)

// syn is a SYN or SYN-ACK as the tests describe it.
type syn struct {
	flags   byte
	form    packet.IPForm
	id      uint16
	ttl     uint8
	v6      bool
	window  uint16
	seq     uint32
	ack     uint32
	urgent  uint16
	options string // hexadecimal digits
	payload uint32
}

func (s syn) packet(t *testing.T) *packet.Packet {
	o := unhex(t, s.options)
	b := make([]byte, 20, 60)
	binary.BigEndian.PutUint32(b[4:], s.seq)
	binary.BigEndian.PutUint32(b[8:], s.ack)
	b[12], b[13] = byte(5+len(o)/4)<<4, s.flags
	binary.BigEndian.PutUint16(b[14:], s.window)
	binary.BigEndian.PutUint16(b[18:], s.urgent)
	return &packet.Packet{Kind: packet.KindTCP, TCPFlags: s.flags, IPForm: s.form, IPID: s.id, TTL: s.ttl, V6: s.v6, Window: s.window, Seq: s.seq, Ack: s.ack,
		TCPOptLen: uint8(len(o)), Body: append(b, o...), PayloadLen: s.payload}
}

const (
	linuxOptions   = "020405b4 0402080a000000010000000001030307" // mss,sok,ts,nop,ws
	windowsOptions = "020405b4 01030308 01010402"                // mss,nop,ws,nop,nop,sok
)

func linux() syn {
	return syn{flags: packet.SYN, form: packet.IPDontFragment, id: 7, ttl: 61, window: 64240, seq: 1, options: linuxOptions}
}

func TestNPFTCP(t *testing.T) {
	answer := linux()
	answer.flags, answer.id, answer.ack, answer.window = packet.SYN|packet.ACK, 0, 2, 65160
	v6 := linux()
	v6.v6, v6.form, v6.ttl = true, packet.IPFlowLabel, 128
	for name, tc := range map[string]struct {
		syn  syn
		want string
	}{
		"SYN":              {linux(), "tcp/(40)()(20)(faf0)((020405b4)(04)(08)(01)(030307))"},
		"SYN-ACK":          {answer, "tcp_server/(40)(00)(20)(fe88)((020405b4)(04)(08)(01)(030307))"},
		"IPv6":             {v6, "tcp/(60)()(80)(faf0)((020405b4)(04)(08)(01)(030307))"},
		"no options":       {syn{flags: packet.SYN, ttl: 255, id: 1, window: 1024}, "tcp/(40)()(e0)(0400)()"},
		"end of the list":  {syn{flags: packet.SYN, ttl: 64, id: 1, options: "0204ffff 00000000"}, "tcp/(40)()(40)(0000)((0204ffff)(00))"},
		"damaged options":  {syn{flags: packet.SYN, ttl: 64, id: 1, options: "0204ffff 08630000"}, "tcp/(40)()(40)(0000)((0204ffff)(08))"},
		"option of size 0": {syn{flags: packet.SYN, ttl: 64, id: 1, options: "02000000"}, "tcp/(40)()(40)(0000)((0200))"},
	} {
		if s := StackOf(tc.syn.packet(t)); s == nil || s.NPF != tc.want {
			t.Errorf("%s: %+v, want %s", name, s, tc.want)
		}
	}
	cut := linux().packet(t)
	cut.Body = cut.Body[:30]
	for name, p := range map[string]*packet.Packet{"an ACK": {Kind: packet.KindTCP, TCPFlags: packet.ACK}, "a cut header": cut,
		"a SYN with RST": syn{flags: packet.SYN | packet.RST}.packet(t), "UDP": {Kind: packet.KindUDP}} {
		if s := StackOf(p); s != nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// signatures are written for these tests.
const signatures = `
; classes of systems
classes = win,unix,other

[mtu]
label = Ethernet
sig   = 1500

[tcp:request]
label = g:unix:Generic:
sig   = *:64:0:*:*,*:mss,sok,ts,nop,ws:df,id+:0
label = s:unix:Linux:window of 44 segments
sig   = *:64:0:1460:mss*44,7:mss,sok,ts,nop,ws:df,id+:0
label = s:win:Windows:10
sig   = 4:128:0:*:8192,8:mss,nop,ws,nop,nop,sok:df,id+:0
label = s:!:Scanner:own packets
sig   = 4:64-:0:0:1024,0::seq-,id-:0
label = s:other:Box:
sig   = 4:255:0:*:mtu*2,0:mss,eol+3:ack+,uptr+,opt+:*
label = s:other:Odd:
sig   = 6:64:0:*:%1000,*:?30,nop,nop:flow:+

[tcp:response]
label = s:unix:Answer:
sig   = 4:64:0:*:65160,7:mss,sok,ts,nop,ws:df:0

[http:request]
ua_os = Linux
label = s:!:Browser:1
sig   = 1:Host,User-Agent:::
`

func TestP0f(t *testing.T) {
	p, err := ParseP0f("p0f.fp", []byte(signatures))
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*syn)) syn {
		s := linux()
		change(&s)
		return s
	}
	windows := syn{flags: packet.SYN, form: packet.IPDontFragment, id: 9, ttl: 126, window: 8192, seq: 1, options: windowsOptions}
	for name, tc := range map[string]struct {
		syn  syn
		want string
	}{
		"specific before generic":     {linux(), "Linux window of 44 segments"},
		"generic":                     {with(func(s *syn) { s.window = 5840 }), "Generic"},
		"without time stamps counted": {with(func(s *syn) { s.window = 44 * 1448 }), "Linux window of 44 segments"},
		"too many routers":            {with(func(s *syn) { s.ttl = 20 }), "Generic"}, // the first that fits but for the TTL
		"above the TTL":               {with(func(s *syn) { s.ttl = 65; s.window = 1 }), "Generic"},
		"fuzzy: ECN":                  {with(func(s *syn) { s.flags |= 0xc0; s.window = 1 }), "Generic"},
		"another layout":              {with(func(s *syn) { s.options = "020405b4 01010402" }), ""},
		"another quirk":               {with(func(s *syn) { s.urgent = 1 }), ""},
		"payload":                     {with(func(s *syn) { s.payload = 3 }), ""},
		"IP options":                  {with(func(s *syn) { s.form |= 1 }), ""},
		"Windows":                     {windows, "Windows 10"},
		"a program":                   {syn{flags: packet.SYN, ttl: 12, window: 1024}, "Scanner own packets"},
		"quirks and padding":          {syn{flags: packet.SYN, id: 1, ttl: 255, window: 3000, seq: 1, ack: 5, urgent: 9, options: "020405b4 00010000", payload: 1}, "Box"},
		"IPv6":                        {syn{flags: packet.SYN, v6: true, form: packet.IPFlowLabel, ttl: 64, window: 3000, seq: 1, options: "1e020101", payload: 9}, "Odd"},
		"answer":                      {with(func(s *syn) { s.flags, s.id, s.ack, s.window = packet.SYN|packet.ACK, 0, 1, 65160 }), "Answer"},
	} {
		l := p.Match(StackOf(tc.syn.packet(t)))
		switch {
		case l == nil && tc.want != "":
			t.Errorf("%s: no label, want %s", name, tc.want)
		case l != nil && l.String() != tc.want:
			t.Errorf("%s: %s, want %q", name, l, tc.want)
		}
	}
	if link := p.Link(StackOf(linux().packet(t))); link != "Ethernet" {
		t.Errorf("link %q", link)
	}
	var none *P0f
	if none.Match(StackOf(linux().packet(t))) != nil || none.Link(StackOf(linux().packet(t))) != "" {
		t.Error("a label without signatures")
	}
}

func TestP0fErrors(t *testing.T) {
	const head = "[tcp:request]\nlabel = s:unix:X:\n"
	for text, want := range map[string]string{
		"sig = 1":                           "f:1: key \"sig\" before the first section",
		"[tcp:request":                      "f:1: section \"[tcp:request\" without ]",
		"[udp]":                             "f:1: unknown section [udp]",
		"[mtu]\nsig = 1500":                 "f:2: sig \"1500\": want an MTU after a label",
		"[tcp:request]\nlabel = linux":      "f:2: label \"linux\": want s or g",
		"[tcp:request]\nsig = *":            "f:2: sig before a label",
		head + "nonsense":                   "f:3: \"nonsense\": want key = value",
		head + "key = 1":                    "f:3: unknown key \"key\"",
		head + "sig = 4:64:0":               "3 fields, want 8",
		head + "sig = 5:64:0:*:1,0::: 0":    "payload class",
		head + "sig = 5:64:0:*:1,0:::0":     "version 5: want 4, 6 or *",
		head + "sig = 4:*:0:*:1,0:::0":      "TTL \"*\": want 1 to 255",
		head + "sig = 4:64:0:*:1:::0":       "want window,scale",
		head + "sig = 4:64:0:*:mss*0,0:::0": "want a multiple from 1",
		head + "sig = 4:64:0:*:1,0:tcp::0":  "f:3: sig \"4:64:0:*:1,0:tcp::0\": option \"tcp\" is unknown",
		head + "sig = 4:64:0:*:1,0::odd:0":  "unknown quirk \"odd\"",
		strings.Repeat("x", 5000):           "f:1:",
	} {
		if _, err := ParseP0f("f", []byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: %v, want %s", text, err, want)
		}
	}
	if _, err := LoadP0f(t.TempDir() + "/none"); err == nil {
		t.Error("no error for a missing file")
	}
}

func FuzzStackOf(f *testing.F) {
	f.Add(byte(packet.SYN), []byte{2, 4, 5, 0xb4, 0, 0, 0, 0})
	p0f, err := ParseP0f("p0f.fp", []byte(signatures))
	if err != nil {
		f.Fatal(err)
	}
	mutate.Fuzz(f, func(t *testing.T, flags byte, options []byte) {
		options = options[:min(len(options), 40)&^3]
		s := StackOf(&packet.Packet{Kind: packet.KindTCP, TCPFlags: flags, TCPOptLen: uint8(len(options)), Body: append(make([]byte, 20), options...)})
		if s != nil {
			p0f.Match(s)
			p0f.Link(s)
			if strings.Count(s.NPF, "(") != strings.Count(s.NPF, ")") {
				t.Error(s.NPF)
			}
		}
	})
}

func FuzzParseP0f(f *testing.F) {
	f.Add([]byte(signatures))
	mutate.Fuzz(f, func(t *testing.T, text []byte) { ParseP0f("f", text) })
}

// A SYN that was seen before costs no memory.
func TestStackOfDoesNotAllocate(t *testing.T) {
	p := linux().packet(t)
	StackOf(p)
	if n := testing.AllocsPerRun(100, func() { StackOf(p) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkStackOf(b *testing.B) {
	p := linux().packet(&testing.T{})
	for range b.N {
		StackOf(p)
	}
}
