// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"encoding/binary"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/tunnel"
)

func TestOpenVPN(t *testing.T) {
	for size, name := range map[int]string{0: "plain", 16: "MD5", 20: "SHA-1", 28: "SHA-224", 32: "SHA-256", 48: "SHA-384", 64: "SHA-512"} {
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {0, 0, 2, 2, 1, 0}} {
			for _, skip := range []int{0, 2} { // with and without the packets that open the session
				turns := tunnel.VPNTurns(t, tunnel.VPNAuth(size), order)[skip:]
				var c dispatch.Conversation
				c.Reset(dissect.Ports{Client: 40000, Server: 1194}, nil)
				feed := c.Datagram
				if skip > 0 {
					feed = tunnel.NewOpenVPN().Datagram
				}
				var facts []dissect.Fact
				more := true
				for _, x := range turns {
					more = feed(x.Dir, []byte(x.Data), func(f dissect.Fact) { facts = append(facts, f) })
				}
				hellos := dissecttest.FactsOf[dissect.TLSClientHello](facts)
				if order[0] == 2 && skip > 0 {
					continue // the first packet of the hello shows which bytes are a MAC
				}
				if more || len(hellos) != 1 || hellos[0].SNI != "vpn.example" || len(dissecttest.FactsOf[dissect.TLSServerHello](facts)) != 1 {
					t.Errorf("%s, order %v, from turn %d: more %v\n%s", name, order, skip, more, dissecttest.Dump(facts))
				}
				if got := dissecttest.AppOf(facts); skip == 0 && got != "openvpn" {
					t.Errorf("%s: named %q", name, got)
				}
			}
		}
	}
}

// Over TCP each packet has its length before it, however the stream is cut.
func TestOpenVPNStream(t *testing.T) {
	for _, size := range []int{0, 20} {
		var turns []turn
		for _, x := range tunnel.VPNTurns(t, tunnel.VPNAuth(size), []int{0, 1, 2}) {
			turns = append(turns, turn{Dir: x.Dir, Data: string(binary.BigEndian.AppendUint16(nil, uint16(len(x.Data)))) + x.Data})
		}
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 1, Server: 9000}, turns)
		if hellos := dissecttest.FactsOf[dissect.TLSClientHello](facts); len(hellos) != 1 || hellos[0].SNI != "vpn.example" || len(dissecttest.FactsOf[dissect.TLSServerHello](facts)) != 1 || dissecttest.AppOf(facts) != "openvpn" {
			t.Error(dissecttest.Dump(facts))
		}
	}
}
