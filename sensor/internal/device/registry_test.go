// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const sec = int64(1e9)

func ip(s string) packet.Addr { return packet.AddrOf(netip.MustParseAddr(s)) }

func mac(last byte) packet.MAC { return packet.MAC{0x00, 0x40, 0x8c, 0, 0, last} }

// talk is one session as a table writes it.
type talk struct {
	from, to       string
	fromMAC, toMAC packet.MAC
	port           uint16
	proto          uint8 // 0: TCP
	answered       bool
	ttl            uint8
	at             int64 // seconds
}

func (k talk) view() *session.View {
	v := &session.View{Start: k.at * sec, End: k.at * sec, Proto: k.proto, HasPorts: true, Basis: session.BasisSYN}
	if v.Proto == 0 {
		v.Proto = protoTCP
	}
	v.Initiator = session.Endpoint{Addr: ip(k.from), MAC: k.fromMAC, Port: 40000, TTL: k.ttl}
	v.Responder = session.Endpoint{Addr: ip(k.to), MAC: k.toMAC, Port: k.port}
	v.Packets[0] = 1
	if k.answered {
		v.Packets[1], v.State = 1, session.Established
	}
	return v
}

// play gives a session to the registry as the pipeline does: opened, then a change of state.
func play(r *Registry, k talk) (a, b *Device) {
	v := k.view()
	opened := *v
	opened.Packets[1], opened.State = 0, session.Attempted
	a, b = r.Session(Opened, &opened, nil, opened.Start)
	if k.answered {
		a, b = r.Session(StateChanged, v, nil, v.Start)
	}
	return a, b
}

func keyOf(d *Device) string {
	if d == nil {
		return ""
	}
	return d.Key
}

func keys(r *Registry) (out []string) {
	for _, d := range r.All() {
		out = append(out, d.Key)
	}
	return out
}

func arp(from string, m packet.MAC) *dissect.ARPMessage {
	return &dissect.ARPMessage{SenderIP: netip.MustParseAddr(from), SenderMAC: m, EtherSrc: m}
}

func TestIdentity(t *testing.T) {
	gw, none := mac(0xfe), packet.MAC{}
	vrrp := packet.MAC{0, 0, 0x5e, 0, 1, 7}
	tests := []struct {
		what  string
		cfg   Config
		first []talk
		last  talk
		a, b  string
	}{
		{"both on the segment", Config{}, nil,
			talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), answered: true}, "mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:02"},
		{"a responder that was never heard is no device", Config{}, nil,
			talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2)}, "mac:00:40:8c:00:00:01", ""},
		{"external peer behind the gateway", Config{}, nil,
			talk{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(1), toMAC: gw, answered: true}, "mac:00:40:8c:00:00:01", ""},
		{"a host behind a MAC with an external address", Config{}, []talk{{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(1), toMAC: gw, answered: true}},
			talk{from: "10.9.0.1", to: "10.0.0.1", fromMAC: gw, toMAC: mac(1), answered: true}, "ip:10.9.0.1@local", "mac:00:40:8c:00:00:01"},
		{"no MACs", Config{Site: "hq"}, nil, talk{from: "10.0.0.1", to: "10.0.0.2", answered: true}, "ip:10.0.0.1@hq", "ip:10.0.0.2@hq"},
		{"one MAC on both ends", Config{}, nil, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: gw, toMAC: gw, answered: true}, "ip:10.0.0.1@local", "ip:10.0.0.2@local"},
		{"VRRP address", Config{}, nil, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: vrrp, answered: true}, "mac:00:40:8c:00:00:01", "ip:10.0.0.2@local"},
		{"routed time to live", Config{}, nil, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), ttl: 63, answered: true}, "ip:10.0.0.1@local", "mac:00:40:8c:00:00:02"},
		{"multicast and broadcast are no devices", Config{}, nil, talk{from: "10.0.0.1", to: "239.255.255.250", fromMAC: mac(1), toMAC: packet.MAC{1, 0, 0x5e, 0x7f, 0xff, 0xfa}, proto: 17}, "mac:00:40:8c:00:00:01", ""},
		{"DHCP client without address", Config{}, nil, talk{from: "0.0.0.0", to: "255.255.255.255", fromMAC: mac(1), toMAC: packet.MAC{255, 255, 255, 255, 255, 255}, port: 67, proto: 17}, "mac:00:40:8c:00:00:01", ""},
		{"loopback", Config{}, nil, talk{from: "127.0.0.1", to: "127.0.0.1"}, "", ""},
		{"declared external address", Config{Watch: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}}, nil,
			talk{from: "198.51.100.1", to: "203.0.113.9", fromMAC: mac(1), toMAC: gw, answered: true}, "mac:00:40:8c:00:00:01", ""},
		{"named by MAC", Config{Named: []Named{{Name: "cam-1", MAC: mac(1)}}}, nil, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2)}, "cam-1", ""},
		{"named by address, behind a router", Config{Named: []Named{{Name: "srv-1", IP: netip.MustParseAddr("10.9.0.1")}}},
			[]talk{{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(1), toMAC: gw}}, talk{from: "10.9.0.1", to: "10.0.0.1", fromMAC: gw, toMAC: mac(1)}, "srv-1", "mac:00:40:8c:00:00:01"},
		{"named by address, on the segment", Config{Named: []Named{{Name: "srv-1", IP: netip.MustParseAddr("10.0.0.1")}}}, nil,
			talk{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(1), toMAC: gw}, "srv-1", ""},
		{"another MAC carries an address that its holder still uses", Config{}, []talk{{from: "10.0.0.1", to: "10.1.0.2", fromMAC: mac(1), toMAC: mac(8), answered: true}},
			talk{from: "10.0.0.1", to: "10.1.0.2", fromMAC: mac(9), toMAC: mac(2), answered: true, at: 1}, "mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:08"},
		{"a replaced device takes over a quiet address", Config{}, []talk{{from: "10.0.0.1", to: "10.0.0.9", fromMAC: mac(1), toMAC: mac(9), answered: true}},
			talk{from: "10.0.0.1", to: "10.0.0.9", fromMAC: mac(3), toMAC: mac(9), answered: true, at: 3600}, "mac:00:40:8c:00:00:03", "mac:00:40:8c:00:00:09"},
		{"without a MAC a known address stays with its device", Config{}, []talk{{from: "10.0.0.1", to: "10.0.0.9", fromMAC: mac(1), toMAC: mac(9), answered: true}},
			talk{from: "10.0.0.1", to: "10.0.0.9", fromMAC: none, toMAC: none, answered: true, at: 1}, "mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:09"},
	}
	for _, tt := range tests {
		r := New(tt.cfg)
		for _, k := range tt.first {
			play(r, k)
		}
		a, b := play(r, tt.last)
		if keyOf(a) != tt.a || keyOf(b) != tt.b {
			t.Errorf("%s: %q %q, want %q %q (all: %v)", tt.what, keyOf(a), keyOf(b), tt.a, tt.b, keys(r))
		}
	}
}
