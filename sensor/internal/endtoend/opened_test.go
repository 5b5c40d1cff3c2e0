// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"stillwatch/internal/testlab/netsim"
)

// station is one end of the segments of these tests.
type station struct {
	mac, ip string
	port    uint16
	seq     uint32
}

// script builds segments one after another, with IPv4 or IPv6, tagged or untagged.
type script struct {
	t    *testing.T
	n    *netsim.Net
	at   time.Time
	v6   bool
	vlan uint16
}

var networks = map[string]script{"ipv4": {}, "ipv6": {v6: true}, "vlan": {vlan: 30}}

func newScript(t *testing.T, network script) *script {
	network.t, network.n, network.at = t, netsim.New(1), began()
	return &network
}

const outsideMAC = "00:1b:54:00:00:01"

// addr maps the addresses of the tests to IPv6.
func (s *script) addr(ip string) netip.Addr {
	a := netip.MustParseAddr(ip)
	if !s.v6 || a.Is6() {
		return a
	}
	b := a.As4()
	if b[0] == 10 {
		return netip.MustParseAddr(fmt.Sprintf("fd00:10::%x:%x", b[2], b[3]))
	}
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", b[2], b[3]))
}

func (s *script) frame(from, to *station, proto layers.IPProtocol, ls ...gopacket.SerializableLayer) []byte {
	src, _ := net.ParseMAC(from.mac)
	dst, _ := net.ParseMAC(to.mac)
	typ := layers.EthernetTypeIPv4
	if s.v6 {
		typ = layers.EthernetTypeIPv6
	}
	all := []gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: src, DstMAC: dst, EthernetType: typ}}
	if s.vlan != 0 {
		all[0].(*layers.Ethernet).EthernetType = layers.EthernetTypeDot1Q
		all = append(all, &layers.Dot1Q{VLANIdentifier: s.vlan, Type: typ})
	}
	a, b := net.IP(s.addr(from.ip).AsSlice()), net.IP(s.addr(to.ip).AsSlice())
	var ip gopacket.NetworkLayer
	if s.v6 {
		x := &layers.IPv6{Version: 6, NextHeader: proto, HopLimit: 64, SrcIP: a, DstIP: b}
		ip, all = x, append(all, x)
	} else {
		x := &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: a, DstIP: b}
		ip, all = x, append(all, x)
	}
	for _, l := range ls {
		if x, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			_ = x.SetNetworkLayerForChecksum(ip)
		}
	}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, append(all, ls...)...); err != nil {
		s.t.Fatal(err)
	}
	return buf.Bytes()
}

// segment builds a segment from a to b. The flags are letters (S, A, F, R). It adds their length and that of the payload to the sequence
// number of a.
func (s *script) segment(a, b *station, flags, payload string) []byte {
	l := &layers.TCP{SrcPort: layers.TCPPort(a.port), DstPort: layers.TCPPort(b.port), Seq: a.seq, Window: 8192,
		SYN: strings.Contains(flags, "S"), ACK: strings.Contains(flags, "A"), FIN: strings.Contains(flags, "F"), RST: strings.Contains(flags, "R")}
	if l.ACK {
		l.Ack = b.seq
	}
	a.seq += uint32(len(payload))
	if l.SYN || l.FIN {
		a.seq++
	}
	return s.frame(a, b, layers.IPProtocolTCP, l, gopacket.Payload(payload))
}

func (s *script) datagram(a, b *station, payload string) []byte {
	return s.frame(a, b, layers.IPProtocolUDP, &layers.UDP{SrcPort: layers.UDPPort(a.port), DstPort: layers.UDPPort(b.port)}, gopacket.Payload(payload))
}

// put delivers frames, one per millisecond.
func (s *script) put(frames ...[]byte) {
	for _, f := range frames {
		s.at = s.at.Add(time.Millisecond)
		s.n.Raw(s.at, f)
	}
}

// conversation returns the segments of a whole session with a request and an answer.
func (s *script) conversation(a, b *station, question, answer string) [][]byte {
	return [][]byte{s.segment(a, b, "S", ""), s.segment(b, a, "SA", ""), s.segment(a, b, "A", ""), s.segment(a, b, "A", question),
		s.segment(b, a, "A", answer), s.segment(a, b, "A", ""), s.segment(a, b, "FA", ""), s.segment(b, a, "FA", ""), s.segment(a, b, "A", "")}
}

func silentCamera() *station    { return &station{silentMAC, silentAddr, 8765, 5000} }
func recorder() *station        { return &station{"02:00:5e:10:00:22", "10.20.31.5", 40111, 1000} }
func outside(p uint16) *station { return &station{outsideMAC, "203.0.113.66", p, 5000} }

// device returns the record of the device with an address.
func (x outcome) device(a netip.Addr) map[string]any {
	for _, d := range x.devices {
		ips, _ := d["ips"].([]any)
		if slices.Contains(ips, any(a.String())) {
			return d
		}
	}
	return nil
}

func (x outcome) rules() (all []string) {
	for _, a := range x.alerts {
		all = append(all, a["rule"].(map[string]any)["id"].(string))
	}
	return all
}

func initiator(s map[string]any) string { return s["initiator"].(map[string]any)["ip"].(string) }

// TestLateHandshake delivers one segment of each session after the session has ended.
func TestLateHandshake(t *testing.T) {
	for name, network := range networks {
		for _, late := range []int{0, 1, 2} {
			t.Run(fmt.Sprintf("%s, segment %d", name, late), func(t *testing.T) {
				s := newScript(t, network)
				for i := range 6 {
					a, b := recorder(), silentCamera()
					a.port += uint16(i)
					fs := s.conversation(a, b, "hello", "hello there")
					s.put(append(slices.Delete(slices.Clone(fs), late, late+1), fs[late])...)
					s.at = s.at.Add(30 * time.Second)
				}
				x := tell(t, s.n, "--silent", silentMAC)
				if len(x.sessions) != 6 || len(x.alerts) != 0 {
					t.Errorf("%d sessions, alerts %v", len(x.sessions), x.rules())
				}
				for _, r := range x.sessions {
					if initiator(r) != s.addr(recorder().ip).String() || r["packets_out"] != 6.0 || r["packets_in"] != 3.0 || r["initiator_basis"] != "syn" {
						t.Errorf("%v", r)
					}
				}
				if d := x.device(s.addr(recorder().ip)); d == nil || !strings.HasPrefix(d["key"].(string), "mac:") {
					t.Errorf("the recorder is %v", d)
				}
			})
		}
	}
}

// TestPacketsFromOutsideAreNotBlamedOnTheDevice sends everything that an outsider can send to a device.
func TestPacketsFromOutsideAreNotBlamedOnTheDevice(t *testing.T) {
	icmp := func(s *script, a, b *station, typ4, typ6 uint8) []byte {
		if s.v6 {
			return s.frame(a, b, layers.IPProtocolICMPv6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ6, 0)}, gopacket.Payload("12345678"))
		}
		return s.frame(a, b, layers.IPProtocolICMPv4, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(typ4, 0), Id: 7, Seq: 1}, gopacket.Payload("12345678"))
	}
	for name, do := range map[string]func(s *script, far, cam *station){
		"SYN-ACK":          func(s *script, far, cam *station) { s.put(s.segment(far, cam, "SA", "")) },
		"SYN-ACKs":         func(s *script, far, cam *station) { f := s.segment(far, cam, "SA", ""); s.put(f, f, f, f) },
		"SYN-ACK, refused": func(s *script, far, cam *station) { s.put(s.segment(far, cam, "SA", ""), s.segment(cam, far, "R", "")) },
		"SYN-ACK and data": func(s *script, far, cam *station) {
			s.put(s.segment(far, cam, "SA", ""), s.segment(far, cam, "A", "hello"))
		},
		"SYN-ACK, data, refused": func(s *script, far, cam *station) {
			s.put(s.segment(far, cam, "SA", ""), s.segment(far, cam, "A", "hello"), s.segment(cam, far, "R", ""))
		},
		"ACK":          func(s *script, far, cam *station) { s.put(s.segment(far, cam, "A", "")) },
		"ACK, refused": func(s *script, far, cam *station) { s.put(s.segment(far, cam, "A", ""), s.segment(cam, far, "R", "")) },
		"data, refused": func(s *script, far, cam *station) {
			s.put(s.segment(far, cam, "A", "hello"), s.segment(cam, far, "R", ""))
		},
		"FIN, refused": func(s *script, far, cam *station) { s.put(s.segment(far, cam, "FA", ""), s.segment(cam, far, "R", "")) },
		"RST":          func(s *script, far, cam *station) { s.put(s.segment(far, cam, "R", "")) },
		"datagram":     func(s *script, far, cam *station) { s.put(s.datagram(far, cam, "hello")) },
		"datagram, taken": func(s *script, far, cam *station) {
			s.put(s.datagram(far, cam, "hello"), s.datagram(cam, far, "hello"))
		},
		"echo reply":     func(s *script, far, cam *station) { s.put(icmp(s, far, cam, 0, 129)) },
		"echo, answered": func(s *script, far, cam *station) { s.put(icmp(s, far, cam, 8, 128), icmp(s, cam, far, 0, 129)) },
		"unreachable":    func(s *script, far, cam *station) { s.put(icmp(s, far, cam, 3, 1)) },
	} {
		for _, port := range []uint16{443, 53, 50000} {
			for network, x := range networks {
				if port != 443 && network != "ipv4" {
					continue
				}
				t.Run(fmt.Sprintf("%s from %d, %s", name, port, network), func(t *testing.T) {
					s := newScript(t, x)
					for i := range 8 {
						far, cam := outside(port), silentCamera()
						cam.port = uint16(40000 + i)
						do(s, far, cam)
						s.at = s.at.Add(time.Second)
					}
					o := tell(t, s.n, "--silent", silentMAC, "--silent", s.addr(silentAddr).String())
					if slices.ContainsFunc(o.rules(), func(r string) bool { return r != "D13" && r != "D34" }) {
						t.Errorf("alerts %v", o.rules())
					}
					for _, d := range o.devices {
						if d["last_origination"] != nil {
							t.Errorf("originated: %v", d)
						}
					}
				})
			}
		}
	}
}

// TestScanWithoutSYN scans for hosts with segments other than SYN.
func TestScanWithoutSYN(t *testing.T) {
	for _, c := range []struct {
		flags      string
		from, to   uint16
		refused    bool
		isReported bool
	}{
		{"SA", 50000, 22, true, true}, {"SA", 50000, 22, false, true}, {"SA", 80, 22, true, true}, {"SA", 50001, 8765, true, true},
		{"A", 50000, 22, true, true}, {"FA", 50000, 22, true, true},
		{"SA", 443, 40000, true, false}, {"SA", 443, 40000, false, false}, // backscatter
	} {
		for name, network := range networks {
			t.Run(fmt.Sprint(name, c), func(t *testing.T) {
				s := newScript(t, network)
				for i := range 12 {
					far := outside(c.from)
					cam := &station{fmt.Sprintf("02:00:5e:10:01:%02x", i), fmt.Sprintf("10.20.30.%d", 20+i), c.to, 777}
					s.put(s.segment(far, cam, c.flags, ""))
					if c.refused {
						s.put(s.segment(cam, far, "R", ""))
					}
					s.at = s.at.Add(100 * time.Millisecond)
				}
				o := tell(t, s.n)
				if got := slices.Contains(o.rules(), "D13"); got != c.isReported {
					t.Errorf("alerts %v", o.rules())
				}
				for _, d := range o.devices {
					if d["last_origination"] != nil {
						t.Errorf("originated: %v", d)
					}
				}
			})
		}
	}
}

// TestLoginOverAReusedFiveTuple tries a wrong password and then, over the same five-tuple, the right one.
func TestLoginOverAReusedFiveTuple(t *testing.T) {
	const ask = "GET / HTTP/1.1\r\nHost: cam\r\nAuthorization: Basic %s\r\n\r\n"
	const refusal = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"cam\"\r\nContent-Length: 0\r\n\r\n"
	const page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok"
	for ends, open := range map[string]int{"server closed": 5, "nobody closed": 6, "both closed": 0, "reset": 7} {
		for _, isn := range []uint32{1000, 1500, 999_000} {
			for name, network := range networks {
				t.Run(fmt.Sprint(ends, ", number ", isn, ", ", name), func(t *testing.T) {
					s := newScript(t, network)
					a, b := outside(40111), silentCamera()
					a.seq, b.port = 1000, 80
					fs := s.conversation(a, b, fmt.Sprintf(ask, "YWRtaW46d3Jvbmc="), refusal)
					switch open {
					case 5:
						fs = append(fs[:6], fs[7])
					case 6:
						fs = fs[:6]
					case 7:
						a.seq = 1000 + 1 + uint32(len(fmt.Sprintf(ask, "YWRtaW46d3Jvbmc=")))
						fs = append(fs[:6], s.segment(a, b, "R", ""))
					}
					s.put(fs...)
					stale := [][]byte{s.segment(b, a, "FA", ""), s.segment(a, b, "A", "")} // of the first session
					s.at = s.at.Add(5 * time.Second)
					a.seq, b.seq = isn, 888_000
					again := s.conversation(a, b, fmt.Sprintf(ask, "YWRtaW46MTIzNDU="), page)
					if isn == 999_000 { // far enough from those of the first to be distinguished
						again = slices.Insert(slices.Insert(again, 2, stale...), 1, stale[0])
					}
					s.put(again...)
					o := tell(t, s.n, "--silent", silentMAC, "--silent", s.addr(silentAddr).String())
					if len(o.sessions) != 2 || !slices.Contains(o.rules(), "D08") {
						t.Errorf("%d sessions, alerts %v", len(o.sessions), o.rules())
					}
				})
			}
		}
	}
}

// TestLatePacketsAreNoLongSession delivers a FIN again, minutes after a session from outside has ended.
func TestLatePacketsAreNoLongSession(t *testing.T) {
	for name, network := range networks {
		s := newScript(t, network)
		a, b := outside(40111), silentCamera()
		fs := s.conversation(a, b, "hello", "hello there")
		s.put(fs...)
		s.at = s.at.Add(5 * time.Minute)
		s.put(fs[7:]...)
		o := tell(t, s.n, "--silent", silentMAC, "--silent", s.addr(silentAddr).String())
		if len(o.sessions) != 2 || slices.Contains(o.rules(), "D17") {
			t.Errorf("%s: %d sessions, alerts %v", name, len(o.sessions), o.rules())
		}
	}
}

// TestKeepAliveEveryTwoHours probes a session after it has expired.
func TestKeepAliveEveryTwoHours(t *testing.T) {
	for name, network := range networks {
		for _, byServer := range []bool{true, false} {
			t.Run(fmt.Sprint(name, byServer), func(t *testing.T) {
				s := newScript(t, network)
				a, b := recorder(), silentCamera()
				s.put(s.conversation(a, b, "hello", "hello there")[:6]...)
				a.seq, b.seq = 1006, 5012
				from, to := a, b
				if byServer {
					from, to = b, a
				}
				for range 3 {
					s.at = s.at.Add(2 * time.Hour)
					from.seq--
					probe := s.segment(from, to, "A", "")
					from.seq++
					s.put(probe, s.segment(to, from, "A", ""))
				}
				s.at = s.at.Add(10 * time.Minute)
				s.put(s.segment(b, a, "A", "news"), s.segment(a, b, "A", ""), s.segment(b, a, "FA", ""), s.segment(a, b, "FA", ""), s.segment(b, a, "A", ""))
				o := tell(t, s.n, "--silent", silentMAC, "--silent", s.addr(silentAddr).String())
				if len(o.alerts) != 0 {
					t.Errorf("alerts %v", o.rules())
				}
				for _, r := range o.sessions {
					if initiator(r) != s.addr(a.ip).String() {
						t.Errorf("%v", r)
					}
				}
			})
		}
	}
}

// TestOneDirectionMirror mirrors only packets to a device: of a session that the device opens, only the SYN-ACK is captured.
func TestOneDirectionMirror(t *testing.T) {
	s := newScript(t, script{})
	for i := range 60 {
		a, b := &station{silentMAC, silentAddr, uint16(40000 + i), 1000}, outside(443)
		fs := s.conversation(a, b, "hello", "hello there")
		s.put(fs[1], fs[4], fs[7])
		s.at = s.at.Add(5 * time.Second)
	}
	o := tell(t, s.n, "--silent", silentMAC, "--silent", silentAddr)
	if !slices.Contains(o.rules(), "D01") || !slices.Contains(o.rules(), "D41") {
		t.Errorf("alerts %v", o.rules())
	}
}

// TestPortThatAnsweredBefore captures a session from the middle, after the same port has served another client.
func TestPortThatAnsweredBefore(t *testing.T) {
	for name, network := range networks {
		for _, clientPort := range []uint16{40333, 8000} {
			s := newScript(t, network)
			other := &station{"02:00:5e:10:00:33", "10.20.31.6", 41000, 7000}
			b := silentCamera()
			s.put(s.conversation(other, b, "hello", "hello there")...)
			s.at = s.at.Add(time.Minute)
			a := recorder()
			a.port, b.seq = clientPort, 90_000
			s.put(s.segment(b, a, "A", "news"), s.segment(a, b, "A", ""), s.segment(b, a, "A", "more news"))
			o := tell(t, s.n, "--silent", silentMAC, "--silent", s.addr(silentAddr).String())
			if len(o.sessions) != 2 || len(o.alerts) != 0 {
				t.Fatalf("%s: %d sessions, alerts %v", name, len(o.sessions), o.rules())
			}
			i := slices.IndexFunc(o.sessions, func(r map[string]any) bool { return r["state"] == "midstream" })
			if i < 0 || initiator(o.sessions[i]) != s.addr(a.ip).String() || o.sessions[i]["packets_in"] != 2.0 || o.sessions[i]["initiator_basis"] != "port" {
				t.Errorf("%s: %v", name, o.sessions)
			}
		}
	}
}
