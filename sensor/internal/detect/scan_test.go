// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/session"
)

func TestScan(t *testing.T) {
	hosts := func(w *fixture, from string, n, port int, do func(from, to string)) {
		for i := range n {
			do(from, fmt.Sprintf("10.0.30.%d:%d", 10+i, port))
			w.wait(second)
		}
	}
	for _, c := range []struct {
		name string
		do   func(w *fixture)
		want string // the last one; "" none
	}{
		{"silent device, four hosts", func(w *fixture) { hosts(w, idle, 4, 22, w.attempt) }, "high hosts"},
		{"silent device, three hosts", func(w *fixture) { hosts(w, idle, 3, 22, w.attempt) }, ""},
		{"any device, ten hosts", func(w *fixture) { hosts(w, host, 10, 445, w.refused) }, "high hosts"},
		{"any device, nine hosts", func(w *fixture) { hosts(w, host, 9, 445, w.refused) }, ""},
		{"hosts that answer", func(w *fixture) { hosts(w, host, 20, 445, func(a, b string) { w.connect(a, b) }) }, ""},
		{"a telephone without a way out", func(w *fixture) {
			for i := range 12 {
				w.attempt(host, fmt.Sprintf("203.0.113.%d:5228", i))
			}
		}, "low hosts"},
		{"outside hosts on telnet", func(w *fixture) {
			for i := range 12 {
				w.attempt(host, fmt.Sprintf("203.0.113.%d:23", i))
			}
		}, "high hosts"},
		{"half of them answer", func(w *fixture) {
			for i := range 30 {
				to := fmt.Sprintf("10.0.30.%d:80", 10+i)
				if i%2 == 0 {
					w.connect(host, to)
				} else {
					w.attempt(host, to)
				}
			}
		}, ""},
		{"from outside", func(w *fixture) { hosts(w, outside, 6, 445, w.attempt) }, "low hosts 198.51.100.23"},
		{"ports of one host", func(w *fixture) {
			for p := range 8 {
				w.refused(host, fmt.Sprintf("10.0.30.10:%d", 20+p))
			}
		}, "medium ports 10.0.30.10"},
		{"seven ports", func(w *fixture) {
			for p := range 7 {
				w.refused(host, fmt.Sprintf("10.0.30.10:%d", 20+p))
			}
		}, ""},
		{"one-way mirror", func(w *fixture) { w.c.Quality.OneWay = true; hosts(w, host, 30, 445, w.attempt) }, ""},
		{"backscatter", func(w *fixture) {
			for i := range 50 {
				v := w.session(protoTCP, fmt.Sprintf("10.0.30.%d", 1+i), "203.0.113.5:80")
				v.Basis = session.BasisSYNACK
				w.event(SessionOpened, v, nil, nil)
				w.event(SessionState, in(v, session.Rejected), nil, nil)
				w.event(SessionEnded, in(v, session.Rejected), nil, nil)
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) { holdScan(t, c.do, c.want) })
	}
}

func TestSweep(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *fixture)
		want string // the last one; "" none
	}{
		{"ARP sweep", func(w *fixture) {
			for i := range 12 {
				w.arpRequest(idle, fmt.Sprintf("10.0.10.%d", 100+i))
				w.wait(second / 2)
			}
		}, "high arp"},
		{"ARP as usual", func(w *fixture) {
			for i := range 12 {
				w.arpRequest(idle, fmt.Sprintf("10.0.10.%d", 100+i))
				w.wait(5 * second)
			}
		}, ""},
		{"gratuitous ARP", func(w *fixture) {
			for range 30 {
				w.arpRequest(idle, idle)
			}
		}, ""},
		{"echo sweep", func(w *fixture) {
			for i := range 5 {
				w.open(protoICMP, host, fmt.Sprintf("10.0.30.%d:0", 10+i))
			}
		}, "medium echo"},
		{"one host again and again", func(w *fixture) {
			for range 50 {
				w.open(protoICMP, host, "10.0.30.10:0")
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) { holdScan(t, c.do, c.want) })
	}
}

func holdScan(t *testing.T, do func(w *fixture), want string) {
	t.Helper()
	w := newFixture(t, nil, idle)
	do(w)
	if want == "" {
		w.want("D13")
		return
	}
	w.wantLast("D13", want)
}

func TestMirai(t *testing.T) {
	syn := func(w *fixture, from, to string, opts uint8, off uint32) {
		v := w.session(protoTCP, from, to)
		a := netip.MustParseAddrPort(to).Addr().As4()
		v.SynSeq, v.SynOptLen = binary.BigEndian.Uint32(a[:])+off, opts
		w.event(SessionOpened, v, nil, nil)
	}
	w := newFixture(t, nil)
	syn(w, host, "203.0.113.7:23", 4, 0)
	syn(w, host, "203.0.113.7:23", 0, 1)
	w.want("D14")
	syn(w, host, "203.0.113.7:23", 0, 0)
	w.want("D14", "critical syn")
	for range 99 {
		syn(w, host, "203.0.113.8:23", 0, 0)
	}
	if n := len(w.reported("D14")); n != 7 {
		t.Errorf("100 SYNs were told %d times", n)
	}
	out := newFixture(t, nil)
	out.arpRequest(host, host)
	syn(out, outside, host+":23", 0, 0)
	out.want("D14", "informational probed")
}
