// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/packet"
)

// frame returns an Ethernet frame with correct checksums.
func frame(t testing.TB, transport gopacket.SerializableLayer, proto layers.IPProtocol, payload string) []byte {
	t.Helper()
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: []byte{10, 0, 0, 1}, DstIP: []byte{10, 0, 0, 2}}
	switch x := transport.(type) {
	case *layers.TCP:
		if err := x.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
	case *layers.UDP:
		if err := x.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
	}
	b := gopacket.NewSerializeBuffer()
	eth := &layers.Ethernet{SrcMAC: []byte{2, 0, 0, 0, 0, 1}, DstMAC: []byte{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, transport, gopacket.Payload(payload)); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b.Bytes())
}

// hid is what hide did.
type hid struct {
	n    int
	note string
}

func hideIn(frame []byte, link packet.LinkType, orig int, app string) hid {
	n, did := new(hider).hide(frame, link, uint32(orig), shownOf(app))
	return hid{n, did.String()}
}

func tcpFrame(t testing.TB, payload string) []byte {
	return frame(t, &layers.TCP{SrcPort: 40000, DstPort: 80, PSH: true, ACK: true, Window: 500, Options: []layers.TCPOption{{OptionType: 1}, {OptionType: 1}, {OptionType: 1}, {OptionType: 1}}},
		layers.IPProtocolTCP, payload)
}

// sum returns the Internet checksum over the pseudo header and the transport segment of an IPv4 frame: 0 if it is correct.
func sum(f []byte, pseudo bool) uint16 {
	s := uint32(0)
	add := func(b []byte) {
		for i, c := range b {
			s += uint32(c) << (8 * (1 - i%2))
		}
	}
	if pseudo {
		add(f[26:34])
		s += uint32(f[23]) + uint32(len(f)-34)
	}
	for add(f[34:]); s > 0xffff; s = s&0xffff + s>>16 {
	}
	return ^uint16(s)
}

// payloadOf hides in a frame, checks length and checksum, and returns the payload.
func payloadOf(t testing.TB, f []byte, app string, pseudo bool) string {
	t.Helper()
	if sum(f, pseudo) != 0 {
		t.Fatal("the frame of the test has a wrong checksum")
	}
	got := bytes.Clone(f)
	m := hideIn(got, packet.LinkEthernet, len(f), app)
	if m.n != len(f) || sum(got, pseudo) != 0 {
		t.Errorf("%s: %d of %d bytes remain, checksum off by %04x", app, m.n, len(f), sum(got, pseudo))
	}
	if changed := !bytes.Equal(got, f); changed != strings.Contains(m.note, "the checksum is corrected") {
		t.Errorf("%s: changed %v, note %q", app, changed, m.note)
	}
	var p packet.Packet
	packet.Decode(&p, packet.LinkEthernet, got, uint32(len(got)))
	return string(p.Payload)
}

func TestHide(t *testing.T) {
	for _, x := range []struct{ app, in, want string }{
		{"http", "GET /a?user=ops&pwd=Zq9s3cret HTTP/1.1\r\nHost: cam\r\nAuthorization: Basic b3BzOlpxOXMzY3JldA==\r\n\r\n", "GET /a?user=ops&pwd=xxxxxxxxx HTTP/1.1\r\nHost: cam\r\nAuthorization:xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n"},
		{"http", "HTTP/1.1 200 OK\r\nServer: web/1\r\nSet-Cookie: s=Zq9\r\n\r\n{\"pin\":1}", "HTTP/1.1 200 OK\r\nServer: web/1\r\nSet-Cookie:xxxxxx\r\n\r\nxxxxxxxxx"},
		{"http", "ization: Basic Zq9s3cret\r\n\r\n", "xxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n"}, // continues another segment
		{"http", "GET http://ops:Zq9s3cret@h/ HTTP/1.1\r\n\r\n", "GET http://xxxxxxxxxxxxxxxx HTTP/1.1\r\n\r\n"},
		{"http", "Zq9s3cret HTTP/1.1", "xxxxxxxxxxxxxxxxxx"},
		{"ftp", "PASS Zq9s3cret\r\n", "PASSxxxxxxxxxx\r\n"},
		{"ftp", "331 Password for ops\r\n", "331xxxxxxxxxxxxxxxxx\r\n"},
		{"smtp", "Zq9s3cret\r\n", "xxxxxxxxx\r\n"},
		{"telnet", "\xff\xfb\x01Z", "\xff\xfb\x01x"},
		{"", "\x05\x00\x04admin\x09Zq9s3cret\x01\x02", "\x05\x00\x04xxxxx\x09xxxxxxxxxx\x01"},
		{"tls", "\x16\x03\x01abc", "\x16\x03\x01abc"},
		{"ssh", "SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0-OpenSSH_9.6\r\n"},
	} {
		got := payloadOf(t, tcpFrame(t, x.in), x.app, true)
		if x.app == "" || x.app == "telnet" { // bytes above 7f are shown or not by the rule of the first bytes
			if strings.ContainsAny(got, "Zq9sd") || len(got) != len(x.in) {
				t.Errorf("%s: %q became %q", x.app, x.in, got)
			}
			continue
		}
		if got != x.want {
			t.Errorf("%s: %q became %q, want %q", x.app, x.in, got, x.want)
		}
	}
}

func TestHideDatagramsAndErrors(t *testing.T) {
	community := "\x30\x1a\x02\x01\x00\x04\x09Zq9s3cret\xa0\x0a"
	udp := frame(t, &layers.UDP{SrcPort: 40000, DstPort: 161}, layers.IPProtocolUDP, community)
	if got := payloadOf(t, udp, "snmp", true); strings.Contains(got, "Zq9") || got[:2] == "xx" {
		t.Errorf("%q", got)
	}
	quoted := string(udp[14:])
	unreachable := frame(t, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 3)}, layers.IPProtocolICMPv4, quoted)
	if got := payloadOf(t, unreachable, "", false); got[:28] != quoted[:28] || strings.Contains(got, "Zq9") {
		t.Errorf("%q", got)
	}
	none := frame(t, &layers.UDP{SrcPort: 40000, DstPort: 161}, layers.IPProtocolUDP, community)
	none[40], none[41] = 0, 0 // no checksum
	hideIn(none, packet.LinkEthernet, len(none), "")
	if none[40] != 0 || none[41] != 0 || bytes.Contains(none, []byte("Zq9")) {
		t.Error("a datagram without checksum got one, or shows its secret")
	}
	fragment := tcpFrame(t, "PASS Zq9s3cret\r\n")
	fragment[20], fragment[21] = 0x20, 0 // more fragments
	if m := hideIn(fragment, packet.LinkEthernet, len(fragment), "ftp"); m.n != 34 || m.note == "" {
		t.Errorf("of a fragment %d bytes remain: %q", m.n, m.note)
	}
}

// FuzzHide checks that no secret remains wherever a stream is cut, and that the frame keeps its length.
func FuzzHide(f *testing.F) {
	for _, app := range []string{"http", "ftp", "rtsp", "", "telnet"} {
		f.Add(app, "GET /a HTTP/1.1\r\nAuthorization: ", "\r\n\r\n", uint8(3))
		f.Add(app, "PASS ", "\r\n", uint8(0))
		f.Add(app, "POST / HTTP/1.1\r\n\r\npassword=", "", uint8(9))
	}
	mutate.Fuzz(f, func(t *testing.T, app, before, after string, cut uint8) {
		const secret = "Tr0ub4dor"
		if slicesContain(open, app) || strings.Contains(before, "0") || len(before)+len(after) > 1000 {
			return
		}
		if b := strings.ToLower(before); slicesContain(text, app) && !strings.HasSuffix(b, "authorization: ") && !strings.HasSuffix(b, "\r\n\r\n") {
			return // a secret that nothing marks as one, as in records
		}
		stream := before + secret + after
		for _, part := range []string{stream[:min(int(cut), len(stream))], stream[min(int(cut), len(stream)):]} {
			if part == "" || strings.HasPrefix(part, secret) && slicesContain(text, app) {
				continue
			}
			x := tcpFrame(t, part)
			m := hideIn(x, packet.LinkEthernet, len(x), app)
			if bytes.Contains(x[:m.n], []byte(secret)) {
				t.Fatalf("%s: kept in %q", app, x[:m.n])
			}
		}
	})
}

func slicesContain(list []string, s string) bool {
	return strings.Contains("\n"+strings.Join(list, "\n")+"\n", "\n"+s+"\n")
}

// FuzzHideFrame checks that no frame of any link type makes hide fail.
func FuzzHideFrame(f *testing.F) {
	f.Add(uint16(1), []byte(tcpFrame(f, "PASS x\r\n")), "ftp")
	f.Add(uint16(101), []byte(tcpFrame(f, "PASS x\r\n")[14:]), "")
	mutate.Fuzz(f, func(t *testing.T, link uint16, data []byte, app string) {
		n := len(data)
		if m := hideIn(data, packet.LinkType(link), n, app); m.n > n || m.n < 0 {
			t.Fatalf("%d of %d bytes", m.n, n)
		}
	})
}
