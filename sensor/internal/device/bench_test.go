// SPDX-License-Identifier: Apache-2.0

package device

import (
	"strconv"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// BenchmarkFlood measures a session from a new MAC.
func BenchmarkFlood(b *testing.B) {
	r := New(Config{MaxDevices: 10_000})
	for i := range b.N {
		m := packet.MAC{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		v := &session.View{Start: int64(i), Proto: protoUDP, HasPorts: true, Packets: [2]uint64{1, 0}}
		v.Initiator = session.Endpoint{Addr: packet.AddrFrom4([]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), MAC: m, Port: 1}
		v.Responder = session.Endpoint{Addr: ip("10.255.255.1"), MAC: mac(0xfe), Port: 2}
		r.Session(Opened, v, nil, int64(i))
	}
}

// BenchmarkSession measures an event between two known devices.
func BenchmarkSession(b *testing.B) {
	r := New(Config{})
	v := talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), port: 80, answered: true}.view()
	b.ReportAllocs()
	for i := range b.N {
		r.Session(StateChanged, v, nil, int64(i))
	}
}

// BenchmarkHTTP measures an exchange with known banners and a new target.
func BenchmarkHTTP(b *testing.B) {
	r := New(Config{})
	k := talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), port: 80, answered: true}
	x, y := play(r, k)
	v := k.view()
	for i := range b.N {
		f := &dissect.HTTPExchange{Status: 200, Server: "Apache/2.4.58 (Ubuntu)", URI: "/a/" + strconv.Itoa(i), Host: "www.example.com", Title: "Welcome",
			UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/63.0 Safari/537.36"}
		r.Fact(v, f, session.In, x, y, int64(i))
	}
}
