// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
)

const (
	idle    = "10.0.10.17" // a device declared silent
	host    = "10.0.50.21"
	outside = "198.51.100.23"
	web     = outside + ":443"
)

func TestUnexpectedOutbound(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world)
		want []string
	}{
		{"attempt", func(w *world) { w.open(protoTCP, idle, web) }, []string{"medium 198.51.100.23:443/tcp"}},
		{"answered", func(w *world) { w.connect(idle, web) }, []string{"medium 198.51.100.23:443/tcp", "high 198.51.100.23:443/tcp"}},
		{"answered and ended", func(w *world) { w.carried(w.connect(idle, web), 10, 20) },
			[]string{"medium 198.51.100.23:443/tcp", "high 198.51.100.23:443/tcp", "high 198.51.100.23:443/tcp"}},
		{"internal peer", func(w *world) { w.connect(idle, "10.0.10.40:873") }, []string{"medium 10.0.10.40:873/tcp", "high 10.0.10.40:873/tcp"}},
		{"first datagram", func(w *world) { w.open(protoUDP, idle, "203.0.113.5:51820") }, []string{"medium 203.0.113.5:51820/udp"}},
		{"echo request", func(w *world) { w.open(protoICMP, idle, "203.0.113.5:0") }, []string{"medium 203.0.113.5/icmp"}},
		{"it answers", func(w *world) { w.carried(w.connect(outside, idle+":22"), 5, 5) }, nil},
		{"somebody else", func(w *world) { w.connect(host, web) }, nil},
		{"infrastructure", func(w *world) { w.open(protoUDP, idle, "10.0.1.53:53"); w.open(protoUDP, idle, "10.0.1.1:67") }, nil},
		{"multicast", func(w *world) { w.open(protoUDP, idle, "239.255.255.250:1900") }, nil},
		{"broadcast", func(w *world) {
			v := w.session(protoUDP, idle, "10.0.10.255:9999")
			v.Responder.MAC = [6]byte{255, 255, 255, 255, 255, 255}
			w.event(SessionOpened, v, nil, nil)
		}, nil},
		{"caught in the middle", func(w *world) {
			v := w.session(protoTCP, idle, web)
			v.Basis, v.State = session.BasisFirstPacket, session.Midstream
			w.event(SessionOpened, v, nil, nil)
		}, nil},
		{"told by its port only", func(w *world) {
			v := w.session(protoTCP, idle, web)
			v.Basis, v.State = session.BasisPort, session.Midstream
			w.event(SessionOpened, v, nil, nil)
		}, nil},
		{"answer to an unseen datagram", func(w *world) {
			v := w.session(protoUDP, idle, "203.0.113.5:40000")
			v.Initiator.Port = 161
			w.event(SessionOpened, v, nil, nil)
		}, nil},
		{"ICMP error", func(w *world) {
			v := w.session(protoICMP, idle, "203.0.113.5:0")
			v.ICMPType, v.Basis = 3, session.BasisFirstPacket
			w.event(SessionOpened, v, nil, nil)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil, idle)
			w.t = t
			c.do(w)
			w.want("D01", c.want...)
		})
	}
}

func TestOutboundSaysWhatWasExpectedAndSeen(t *testing.T) {
	w := declared(t, entry("srv-legacy-07", idle, contract.Silent, allowOut("10.0.10.40/32", 873)))
	w.connect(idle, "10.0.10.40:873")
	w.want("D01")
	w.connect(idle, web)
	f := w.wantLast("D01", "high 198.51.100.23:443/tcp")
	for _, part := range []string{"srv-legacy-07", "open nothing", "443/tcp", outside, "2026-03-02 00:00:00 UTC"} {
		if !strings.Contains(f.Message, part) {
			t.Errorf("the message lacks %q: %s", part, f.Message)
		}
	}
	if f.Stage != StageOutbound || !f.Continues || !f.Peer.External || f.Broken == "" || len(f.Related) != 1 || f.Recommendation == "" {
		t.Errorf("%+v", f)
	}
	if last := f.Reasons[len(f.Reasons)-1]; last.Code != "benign_if" {
		t.Errorf("no reason says what would make it benign: %+v", f.Reasons)
	}
}

func TestWakeFromIdle(t *testing.T) {
	wake := func(t *testing.T, days int64, before func(w *world)) *world {
		w := declared(t, entry("srv-legacy-07", idle, contract.Silent))
		w.open(protoUDP, idle, "10.0.1.53:53")
		for range days {
			w.wait(day)
			w.open(protoUDP, idle, "10.0.1.53:53")
		}
		if before != nil {
			before(w)
		}
		w.connect(idle, web)
		return w
	}
	wake(t, 6, nil).want("D02")
	wake(t, 8, nil).want("D02", "high wake")
	wake(t, 8, func(w *world) {
		w.arpRequest(idle, idle)
		v := w.open(protoUDP, idle, "10.0.1.123:123")
		w.fact(v, &dissect.NTPMessage{Version: 4, Mode: 3})
		w.wait(20 * second)
	}).want("D02", "low wake")
	w := wake(t, 8, nil)
	w.wait(hour)
	w.connect(idle, web)
	w.want("D02", "high wake")
}

func TestInfrastructureBudget(t *testing.T) {
	w := newWorld(t, nil, idle)
	for range 301 {
		w.open(protoUDP, idle, "10.0.1.53:53")
		w.wait(second)
	}
	w.want("D02", "medium infrastructure budget")
	quiet := newWorld(t, nil, idle)
	for range 301 {
		quiet.open(protoUDP, idle, "10.0.1.53:53")
		quiet.wait(minute)
	}
	quiet.want("D02")
}

func TestFailedCallback(t *testing.T) {
	repeat := func(w *world, n int, gap int64, do func()) {
		for range n {
			do()
			w.wait(gap)
		}
	}
	for _, c := range []struct {
		name   string
		silent bool
		do     func(w *world)
		want   []string
	}{
		{"five in ten minutes, silent", true, func(w *world) { repeat(w, 5, minute, func() { w.attempt(idle, web) }) }, []string{"high 198.51.100.23:443/tcp"}},
		{"refused counts", false, func(w *world) { repeat(w, 5, minute, func() { w.refused(idle, web) }) }, []string{"medium 198.51.100.23:443/tcp"}},
		{"four", true, func(w *world) { repeat(w, 4, minute, func() { w.attempt(idle, web) }) }, nil},
		{"slow, but over hours", false, func(w *world) { repeat(w, 3, hour, func() { w.attempt(idle, web) }) }, []string{"medium 198.51.100.23:443/tcp"}},
		{"internal, nothing expected", false, func(w *world) { repeat(w, 5, minute, func() { w.attempt(idle, "10.0.1.9:9100") }) }, []string{"low 10.0.1.9:9100/tcp"}},
		{"a success in between", true, func(w *world) {
			repeat(w, 3, minute, func() { w.attempt(idle, web) })
			w.connect(idle, web)
			repeat(w, 3, minute, func() { w.attempt(idle, web) })
		}, nil},
		{"distinct ports are distinct", true, func(w *world) {
			for p := range 5 {
				w.attempt(idle, fmt.Sprintf("%s:%d", outside, 1000+p))
			}
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var silent []string
			if c.silent {
				silent = []string{idle}
			}
			w := newWorld(t, nil, silent...)
			c.do(w)
			w.want("D06", c.want...)
		})
	}
}

func TestExposedAdminPort(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world)
		want []string
	}{
		{"declared device answers", func(w *world) { w.connect(outside, idle+":22") }, []string{"high 22/tcp"}},
		{"approved source", func(w *world) { w.connect("203.0.113.9", idle+":22") }, nil},
		{"any other device", func(w *world) { w.connect(outside, host+":22") }, []string{"medium 22/tcp"}},
		{"web site", func(w *world) { w.connect(outside, host+":443") }, []string{"low 443/tcp"}},
		{"port of no interest", func(w *world) { w.connect(outside, idle+":8443") }, nil},
		{"from inside", func(w *world) { w.connect(host, idle+":22") }, nil},
		{"probes are one thing", func(w *world) {
			w.arpRequest(idle, idle)
			for i := range 20 {
				w.attempt(fmt.Sprintf("203.0.113.%d", i), idle+":23")
			}
		}, []string{"informational probes", "informational probes", "informational probes", "informational probes", "informational probes"}},
		{"the next day anew", func(w *world) {
			w.arpRequest(idle, idle)
			w.refused(outside, idle+":23")
			w.wait(25 * hour)
			w.refused(outside, idle+":23")
		}, []string{"informational probes", "informational probes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := declared(t, entry("srv", idle, contract.Silent, allowIn("203.0.113.9/32", 22)))
			c.do(w)
			w.want("D07", c.want...)
			for _, f := range w.got {
				if f.Rule.ID == "D07" && f.Severity > Informational && !f.Standing {
					t.Error("an exposure is a standing fact")
				}
			}
		})
	}
}

func TestLoginSuccess(t *testing.T) {
	ok := func(f dissect.Fact) func(*world, string, string) {
		return func(w *world, from, to string) { w.fact(w.connect(from, to), f) }
	}
	ssh := ok(&dissect.SSHAuth{Result: dissect.OutcomeSuccess})
	http := ok(&dissect.HTTPExchange{AuthScheme: "basic", AuthResult: dissect.OutcomeSuccess})
	defaults := ok(&dissect.HTTPExchange{AuthScheme: "basic", AuthResult: dissect.OutcomeSuccess, DefaultCredentials: true})
	failed := ok(&dissect.HTTPExchange{AuthScheme: "basic", AuthResult: dissect.OutcomeFailure})
	for _, c := range []struct {
		name string
		do   func(w *world)
		want []string
	}{
		{"outside on a silent device", func(w *world) { ssh(w, outside, idle+":22") }, []string{"critical 198.51.100.23 22/tcp"}},
		{"outside, told in clear", func(w *world) { http(w, outside, host+":80") }, []string{"high 198.51.100.23 80/tcp"}},
		{"outside, inferred, nothing expected", func(w *world) { ssh(w, outside, host+":22") }, []string{"medium 198.51.100.23 22/tcp"}},
		{"outside with a default password", func(w *world) { defaults(w, outside, host+":80") }, []string{"critical 198.51.100.23 80/tcp"}},
		{"failure", func(w *world) { failed(w, outside, idle+":80") }, nil},
		{"inside on the first day", func(w *world) { ssh(w, host, idle+":22") }, nil},
		{"inside, never seen, after days", func(w *world) {
			w.connect(host, idle+":22")
			w.wait(2 * day)
			ssh(w, host, idle+":22")
			ssh(w, host, idle+":22")
		}, []string{"high 10.0.50.21 22/tcp"}},
		{"approved", func(w *world) { ssh(w, "203.0.113.9", idle+":22") }, nil},
		{"an answer of ours to nobody", func(w *world) { ssh(w, idle, web) }, nil},
		{"gap in an inferred one", func(w *world) {
			v := *w.connect(outside, idle+":22")
			v.Gap = true
			w.fact(&v, &dissect.SSHAuth{Result: dissect.OutcomeSuccess})
		}, nil},
		{"one-way mirror", func(w *world) { w.c.Quality.OneWay = true; ssh(w, outside, idle+":22") }, nil},
		{"told once per session", func(w *world) {
			v := w.connect(outside, idle+":80")
			for range 5 {
				w.fact(v, &dissect.HTTPExchange{AuthScheme: "basic", AuthResult: dissect.OutcomeSuccess})
			}
		}, []string{"critical 198.51.100.23 80/tcp"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := declared(t, entry("srv", idle, contract.Silent, allowIn("203.0.113.9/32", 22)))
			c.do(w)
			w.want("D08", c.want...)
		})
	}
}

func TestInferredLoginIsLessReliable(t *testing.T) {
	w := newWorld(t, nil, idle)
	w.fact(w.connect(outside, idle+":22"), &dissect.SSHAuth{Result: dissect.OutcomeSuccess})
	if f := w.wantLast("D08", "critical 198.51.100.23 22/tcp"); f.Reliability != 0.7 || f.Stage != StageLogin {
		t.Errorf("reliability %v, stage %v", f.Reliability, f.Stage)
	}
}

func TestBruteForce(t *testing.T) {
	fail := &dissect.Login{Protocol: "telnet", UserHint: "ot", Result: dissect.OutcomeFailure}
	success := &dissect.Login{Protocol: "telnet", UserHint: "ot", Result: dissect.OutcomeSuccess}
	guess := func(w *world, from, to string, n int, gap func(i int) int64) {
		for i := range n {
			w.fact(w.connect(from, to), fail)
			w.wait(gap(i))
		}
	}
	uneven := func(i int) int64 { return second * int64(1+7*(i%5)) }
	even := func(int) int64 { return 30 * second }
	for _, c := range []struct {
		name string
		do   func(w *world)
		want string // the last one; "" none
	}{
		{"nine", func(w *world) { guess(w, outside, idle+":23", 9, uneven) }, ""},
		{"ten", func(w *world) { guess(w, outside, idle+":23", 10, uneven) }, "high guessing 198.51.100.23"},
		{"ten, nothing expected", func(w *world) { guess(w, outside, host+":23", 10, uneven) }, "medium guessing 198.51.100.23"},
		{"SSH tells cumulatively", func(w *world) {
			for range 2 {
				v := w.connect(outside, idle+":22")
				for n := range 6 {
					w.fact(v, &dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: n})
				}
			}
		}, "high guessing 198.51.100.23"},
		{"SSH, more than a server bears with", func(w *world) {
			v := w.connect(outside, idle+":22")
			for n := range 50 {
				w.fact(v, &dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: n})
			}
		}, ""},
		{"SSH, the same number again and again", func(w *world) {
			v := w.connect(outside, idle+":22")
			for range 20 {
				w.fact(v, &dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 2})
			}
		}, ""},
		{"distributed", func(w *world) {
			for i := range 24 {
				guess(w, fmt.Sprintf("203.0.113.%d", i%6), idle+":23", 1, func(int) int64 { return minute })
			}
		}, "high guessing distributed"},
		{"slow", func(w *world) { guess(w, outside, idle+":23", 30, func(int) int64 { return 40 * minute }) }, "high guessing slow"},
		{"a failure now and then", func(w *world) { guess(w, outside, idle+":23", 40, func(int) int64 { return 4 * hour }) }, ""},
		{"spray", func(w *world) {
			for i := range 6 {
				guess(w, host, fmt.Sprintf("10.0.30.%d:23", 10+i), 1, uneven)
			}
		}, "high spray 10.0.50.21"},
		{"recorder with a wrong password", func(w *world) { guess(w, host, idle+":23", 40, even) }, "low misconfiguration 10.0.50.21"},
		{"guessed", func(w *world) {
			guess(w, outside, idle+":23", 3, uneven)
			w.fact(w.connect(outside, idle+":23"), success)
		}, "critical guessed 198.51.100.23"},
		{"a colleague mistypes", func(w *world) {
			guess(w, host, "10.0.10.40:23", 3, uneven)
			w.fact(w.connect(host, "10.0.10.40:23"), success)
		}, "medium guessed 10.0.50.21"},
		{"two mistakes", func(w *world) {
			guess(w, outside, idle+":23", 2, uneven)
			w.fact(w.connect(outside, idle+":23"), success)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil, idle)
			c.do(w)
			if c.want == "" {
				w.want("D09")
				return
			}
			w.wantLast("D09", c.want)
		})
	}
}

func TestScan(t *testing.T) {
	hosts := func(w *world, from string, n, port int, do func(from, to string)) {
		for i := range n {
			do(from, fmt.Sprintf("10.0.30.%d:%d", 10+i, port))
			w.wait(second)
		}
	}
	for _, c := range []struct {
		name string
		do   func(w *world)
		want string // the last one; "" none
	}{
		{"silent device, four hosts", func(w *world) { hosts(w, idle, 4, 22, w.attempt) }, "high hosts"},
		{"silent device, three hosts", func(w *world) { hosts(w, idle, 3, 22, w.attempt) }, ""},
		{"any device, ten hosts", func(w *world) { hosts(w, host, 10, 445, w.refused) }, "high hosts"},
		{"any device, nine hosts", func(w *world) { hosts(w, host, 9, 445, w.refused) }, ""},
		{"hosts that answer", func(w *world) { hosts(w, host, 20, 445, func(a, b string) { w.connect(a, b) }) }, ""},
		{"a telephone without a way out", func(w *world) {
			for i := range 12 {
				w.attempt(host, fmt.Sprintf("203.0.113.%d:5228", i))
			}
		}, "low hosts"},
		{"outside hosts on telnet", func(w *world) {
			for i := range 12 {
				w.attempt(host, fmt.Sprintf("203.0.113.%d:23", i))
			}
		}, "high hosts"},
		{"half of them answer", func(w *world) {
			for i := range 30 {
				to := fmt.Sprintf("10.0.30.%d:80", 10+i)
				if i%2 == 0 {
					w.connect(host, to)
				} else {
					w.attempt(host, to)
				}
			}
		}, ""},
		{"from outside", func(w *world) { hosts(w, outside, 6, 445, w.attempt) }, "low hosts 198.51.100.23"},
		{"ports of one host", func(w *world) {
			for p := range 8 {
				w.refused(host, fmt.Sprintf("10.0.30.10:%d", 20+p))
			}
		}, "medium ports 10.0.30.10"},
		{"seven ports", func(w *world) {
			for p := range 7 {
				w.refused(host, fmt.Sprintf("10.0.30.10:%d", 20+p))
			}
		}, ""},
		{"ARP sweep", func(w *world) {
			for i := range 12 {
				w.arpRequest(idle, fmt.Sprintf("10.0.10.%d", 100+i))
				w.wait(second / 2)
			}
		}, "high arp"},
		{"ARP as usual", func(w *world) {
			for i := range 12 {
				w.arpRequest(idle, fmt.Sprintf("10.0.10.%d", 100+i))
				w.wait(5 * second)
			}
		}, ""},
		{"gratuitous ARP", func(w *world) {
			for range 30 {
				w.arpRequest(idle, idle)
			}
		}, ""},
		{"echo sweep", func(w *world) {
			for i := range 5 {
				w.open(protoICMP, host, fmt.Sprintf("10.0.30.%d:0", 10+i))
			}
		}, "medium echo"},
		{"one host again and again", func(w *world) {
			for range 50 {
				w.open(protoICMP, host, "10.0.30.10:0")
			}
		}, ""},
		{"backscatter", func(w *world) {
			for i := range 50 {
				v := w.session(protoTCP, fmt.Sprintf("10.0.30.%d", 1+i), "203.0.113.5:80")
				v.Basis = session.BasisSYNACK
				w.event(SessionOpened, v, nil, nil)
				w.event(SessionState, in(v, session.Rejected), nil, nil)
				w.event(SessionEnded, in(v, session.Rejected), nil, nil)
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil, idle)
			c.do(w)
			if c.want == "" {
				w.want("D13")
				return
			}
			w.wantLast("D13", c.want)
		})
	}
}

func TestMirai(t *testing.T) {
	syn := func(w *world, from, to string, opts uint8, off uint32) {
		v := w.session(protoTCP, from, to)
		a := netip.MustParseAddrPort(to).Addr().As4()
		v.SynSeq, v.SynOptLen = binary.BigEndian.Uint32(a[:])+off, opts
		w.event(SessionOpened, v, nil, nil)
	}
	w := newWorld(t, nil)
	syn(w, host, "203.0.113.7:23", 4, 0)
	syn(w, host, "203.0.113.7:23", 0, 1)
	w.want("D14")
	syn(w, host, "203.0.113.7:23", 0, 0)
	w.want("D14", "critical syn")
	for range 99 {
		syn(w, host, "203.0.113.8:23", 0, 0)
	}
	if n := len(w.told("D14")); n != 7 {
		t.Errorf("100 SYNs were told %d times", n)
	}
	out := newWorld(t, nil)
	out.arpRequest(host, host)
	syn(out, outside, host+":23", 0, 0)
	out.want("D14", "informational probed")
}

func TestUpload(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world)
		want []string
	}{
		{"21 MB", func(w *world) { w.carried(w.connect(idle, web), 21e6, 10e6) }, []string{"high " + outside}},
		{"19 MB both ways", func(w *world) { w.carried(w.connect(idle, web), 19e6, 10e6) }, nil},
		{"6 MB one way", func(w *world) { w.carried(w.connect(idle, web), 6e6, 1e5) }, []string{"high " + outside}},
		{"download", func(w *world) { w.carried(w.connect(idle, web), 1e5, 60e6) }, nil},
		{"pulled from outside", func(w *world) { w.carried(w.connect(outside, idle+":554"), 1e5, 30e6) }, []string{"high " + outside}},
		{"to an internal host", func(w *world) { w.carried(w.connect(idle, "10.0.10.40:873"), 60e6, 1e5) }, nil},
		{"many sessions add up", func(w *world) {
			for range 6 {
				w.carried(w.connect(idle, web), 4e6, 1e6)
				w.wait(hour)
			}
		}, []string{"high " + outside}},
		{"over days it does not", func(w *world) {
			for range 6 {
				w.carried(w.connect(idle, web), 4e6, 1e6)
				w.wait(25 * hour)
			}
		}, nil},
		{"in the contract", func(w *world) { w.carried(w.connect(idle, "203.0.113.9:443"), 60e6, 1e5) }, nil},
		{"nothing expected", func(w *world) { w.carried(w.connect(host, web), 60e6, 1e5) }, []string{"low " + outside}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := declared(t, entry("cam", idle, contract.Allowlist, allowOut("203.0.113.9/32", 443)))
			c.do(w)
			w.want("D18", c.want...)
		})
	}
}

func TestUploadCountsLiveSessionsOnce(t *testing.T) {
	w := newWorld(t, nil, idle)
	v := w.connect(idle, web)
	for mb := range uint64(22) {
		n := *v
		n.PayloadBytes = [2]uint64{mb * 1e6, 10e6}
		w.event(SessionProgress, &n, nil, nil)
		w.wait(minute)
	}
	w.want("D18", "high "+outside)
}

func TestNewDevice(t *testing.T) {
	w := newWorld(t, nil)
	w.open(protoUDP, host, "10.0.1.53:53")
	w.want("D34")
	w.wait(25 * hour)
	w.open(protoUDP, "10.0.50.99", "10.0.1.53:53")
	w.want("D34", "informational new")
	w.wait(hour)
	w.open(protoUDP, "10.0.50.99", "10.0.1.53:53")
	w.want("D34", "informational new")

	inv := declared(t, entry("cam-01", "10.0.30.11", contract.Allowlist))
	inv.open(protoUDP, "10.0.30.11", "10.0.1.53:53")
	inv.open(protoUDP, host, "10.0.1.53:53")
	inv.want("D34")
	inv.open(protoUDP, "10.0.30.66", "10.0.1.53:53")
	inv.want("D34", "medium new")
}

func TestNewDeviceFloodIsOneNumber(t *testing.T) {
	w := newWorld(t, nil)
	w.open(protoUDP, host, "10.0.1.53:53")
	w.wait(25 * hour)
	for i := range 1000 {
		w.open(protoUDP, fmt.Sprintf("10.1.%d.%d", i/250, 1+i%250), "10.0.1.53:53")
	}
	if n := len(w.told("D34")); n > 50+11 {
		t.Errorf("a thousand made-up devices are %d findings", n)
	}
}

func TestBlindness(t *testing.T) {
	for _, c := range []struct {
		q    Quality
		want []string
	}{
		{Quality{}, nil},
		{Quality{OneWayShare: 0.5, OneWay: true}, []string{"medium one_way"}},
		{Quality{GapShare: 0.02}, []string{"low gaps"}},
		{Quality{GapShare: 0.2, DupShare: 0.5, LossRatio: 0.2}, []string{"high gaps", "low duplicates", "high loss"}},
	} {
		w := newWorld(t, nil)
		w.c.Quality = c.q
		w.wait(second)
		w.want("D41")
		w.wait(6 * minute)
		w.want("D41", c.want...)
		for _, f := range w.got {
			if f.Device != nil {
				t.Error("blindness is about the sensor")
			}
		}
	}
}
