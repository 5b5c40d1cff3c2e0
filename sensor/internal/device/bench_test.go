// SPDX-License-Identifier: Apache-2.0

package device

import (
	"testing"

	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// BenchmarkFlood is the cost of a session from a MAC that was never seen.
func BenchmarkFlood(b *testing.B) {
	r := New(Config{MaxDevices: 10_000})
	for i := range b.N {
		m := packet.MAC{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		v := &session.View{Start: int64(i), Proto: protoUDP, HasPorts: true}
		v.Initiator = session.Endpoint{Addr: packet.AddrFrom4([]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), MAC: m, Port: 1}
		v.Responder = session.Endpoint{Addr: ip("10.255.255.1"), MAC: mac(0xfe), Port: 2}
		r.Session(Opened, v, nil, int64(i))
	}
}

// BenchmarkSession is the cost of an event between two devices that are known.
func BenchmarkSession(b *testing.B) {
	r := New(Config{})
	v := talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), port: 80, answered: true}.view()
	b.ReportAllocs()
	for i := range b.N {
		r.Session(StateChanged, v, nil, int64(i))
	}
}
