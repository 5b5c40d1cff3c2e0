// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
)

func TestLoginSuccess(t *testing.T) {
	ok := func(f dissect.Fact) func(*fixture, string, string) {
		return func(w *fixture, from, to string) { w.fact(w.connect(from, to), f) }
	}
	ssh := ok(&dissect.SSHAuth{Result: dissect.OutcomeSuccess})
	http := ok(&dissect.HTTPExchange{AuthScheme: "basic", AuthResult: dissect.OutcomeSuccess})
	telnet := ok(&dissect.Login{Protocol: "telnet", Result: dissect.OutcomeSuccess})
	defaults := ok(&dissect.HTTPExchange{AuthScheme: "basic", AuthResult: dissect.OutcomeSuccess, DefaultCredentials: true})
	failed := ok(&dissect.HTTPExchange{AuthScheme: "basic", AuthResult: dissect.OutcomeFailure})
	for _, c := range []struct {
		name string
		do   func(w *fixture)
		want []string
	}{
		{"outside on a silent device", func(w *fixture) { ssh(w, outside, idle+":22") }, []string{"critical 198.51.100.23 22/tcp"}},
		{"outside, a web page", func(w *fixture) { http(w, outside, host+":80") }, []string{"medium 198.51.100.23 80/tcp"}},
		{"outside, a shell", func(w *fixture) { telnet(w, outside, host+":23") }, []string{"high 198.51.100.23 23/tcp"}},
		{"outside, inferred, nothing expected", func(w *fixture) { ssh(w, outside, host+":22") }, []string{"medium 198.51.100.23 22/tcp"}},
		{"outside with a default password", func(w *fixture) { defaults(w, outside, host+":80") }, []string{"critical 198.51.100.23 80/tcp"}},
		{"failure", func(w *fixture) { failed(w, outside, idle+":80") }, nil},
		{"inside on the first day", func(w *fixture) { ssh(w, host, idle+":22") }, nil},
		{"inside, never seen, after days", func(w *fixture) {
			w.connect(host, idle+":22")
			w.wait(2 * day)
			ssh(w, host, idle+":22")
			ssh(w, host, idle+":22")
		}, []string{"high 10.0.50.21 22/tcp"}},
		{"approved", func(w *fixture) { ssh(w, "203.0.113.9", idle+":22") }, nil},
		{"an answer of ours to nobody", func(w *fixture) { ssh(w, idle, web) }, nil},
		{"gap in an inferred one", func(w *fixture) {
			v := *w.connect(outside, idle+":22")
			v.Gap = true
			w.fact(&v, &dissect.SSHAuth{Result: dissect.OutcomeSuccess})
		}, nil},
		{"one-way mirror", func(w *fixture) { w.c.Quality.OneWay = true; ssh(w, outside, idle+":22") }, nil},
		{"told once per session", func(w *fixture) {
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
	w := newFixture(t, nil, idle)
	w.fact(w.connect(outside, idle+":22"), &dissect.SSHAuth{Result: dissect.OutcomeSuccess})
	if f := w.wantLast("D08", "critical 198.51.100.23 22/tcp"); f.Reliability != 0.7 || f.Stage != StageLogin {
		t.Errorf("reliability %v, stage %v", f.Reliability, f.Stage)
	}
}

// passwordCase is a scene of logins, and the last alert of D09 that it causes, "" if none.
type passwordCase struct {
	name string
	do   func(w *fixture)
	want string
}

func checkPasswords(t *testing.T, cases []passwordCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newFixture(t, nil, idle)
			c.do(w)
			if c.want == "" {
				w.want("D09")
				return
			}
			w.wantLast("D09", c.want)
		})
	}
}

// telnet plays a session with the result of a login of a user.
func telnet(w *fixture, from, to, user string, result dissect.Outcome) {
	w.fact(w.connect(from, to), &dissect.Login{Protocol: "telnet", UserHint: user, Result: result})
}

// guess plays n failed logins of user "ot", with gaps between them.
func guess(w *fixture, from, to string, n int, gap func(i int) int64) {
	for i := range n {
		telnet(w, from, to, "ot", dissect.OutcomeFailure)
		w.wait(gap(i))
	}
}

func uneven(i int) int64 { return second * int64(1+7*(i%5)) }

func TestGuessing(t *testing.T) {
	checkPasswords(t, []passwordCase{
		{"nine", func(w *fixture) { guess(w, outside, idle+":23", 9, uneven) }, ""},
		{"ten", func(w *fixture) { guess(w, outside, idle+":23", 10, uneven) }, "high guessing 198.51.100.23"},
		{"ten, nothing expected", func(w *fixture) { guess(w, outside, host+":23", 10, uneven) }, "medium guessing 198.51.100.23"},
		{"distributed", func(w *fixture) {
			for i := range 24 {
				guess(w, fmt.Sprintf("203.0.113.%d", i%6), idle+":23", 1, func(int) int64 { return minute })
			}
		}, "high guessing distributed"},
		{"slow", func(w *fixture) { guess(w, outside, idle+":23", 30, func(int) int64 { return 40 * minute }) }, "high guessing slow"},
		{"a failure now and then", func(w *fixture) { guess(w, outside, idle+":23", 20, func(int) int64 { return 4 * hour }) }, ""},
		{"six failures a day, for days", func(w *fixture) { guess(w, outside, idle+":23", 40, func(int) int64 { return 4 * hour }) }, "high guessing slowly 198.51.100.23"},
		{"spray", func(w *fixture) {
			for i := range 6 {
				guess(w, host, fmt.Sprintf("10.0.30.%d:23", 10+i), 1, uneven)
			}
		}, "high spray 10.0.50.21"},
		{"recorder with a wrong password", func(w *fixture) { guess(w, host, idle+":23", 40, func(int) int64 { return 30 * second }) }, "low misconfiguration 10.0.50.21"},
	})
}

// TestGuessingBySSH checks that the failures of a session, which SSH reports as a running total, are counted once.
func TestGuessingBySSH(t *testing.T) {
	checkPasswords(t, []passwordCase{
		{"SSH tells cumulatively", func(w *fixture) {
			for range 2 {
				v := w.connect(outside, idle+":22")
				for n := range 6 {
					w.fact(v, &dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: n})
				}
			}
		}, "high guessing 198.51.100.23"},
		{"SSH, more than a server bears with", func(w *fixture) {
			v := w.connect(outside, idle+":22")
			for n := range 50 {
				w.fact(v, &dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: n})
			}
		}, ""},
		{"SSH, the same number again and again", func(w *fixture) {
			v := w.connect(outside, idle+":22")
			for range 20 {
				w.fact(v, &dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 2})
			}
		}, ""},
		{"nobody knows the user, one account in between", func(w *fixture) {
			for range 5 {
				w.fact(w.connect(outside, idle+":22"), &dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 2})
				w.wait(second)
				w.fact(w.connect(outside, idle+":22"), &dissect.SSHAuth{Result: dissect.OutcomeSuccess})
			}
		}, "high guessing 198.51.100.23"},
		{"a key is refused before each password", func(w *fixture) {
			for range 20 {
				v := w.connect(outside, idle+":22")
				w.fact(v, &dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1})
				w.fact(v, &dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 1})
				w.wait(10 * second)
			}
		}, ""},
	})
}

// TestGuessedPassword has a success after failures.
func TestGuessedPassword(t *testing.T) {
	checkPasswords(t, []passwordCase{
		{"guessed", func(w *fixture) {
			guess(w, outside, idle+":23", 3, uneven)
			telnet(w, outside, idle+":23", "ot", dissect.OutcomeSuccess)
		}, "critical guessed 198.51.100.23"},
		{"two mistakes", func(w *fixture) {
			guess(w, outside, idle+":23", 2, uneven)
			telnet(w, outside, idle+":23", "ot", dissect.OutcomeSuccess)
		}, ""},
		{"a colleague mistypes", func(w *fixture) {
			guess(w, host, "10.0.10.40:23", 3, uneven)
			telnet(w, host, "10.0.10.40:23", "ot", dissect.OutcomeSuccess)
		}, "medium guessed 10.0.50.21"},
		{"three mistakes, each corrected", func(w *fixture) {
			for range 3 {
				guess(w, host, idle+":23", 1, uneven)
				telnet(w, host, idle+":23", "ot", dissect.OutcomeSuccess)
				w.wait(4 * hour)
			}
		}, ""},
		{"a mistake before each of many logins", func(w *fixture) {
			for range 40 {
				guess(w, outside, idle+":23", 1, uneven)
				telnet(w, outside, idle+":23", "ot", dissect.OutcomeSuccess)
			}
		}, ""},
		{"a list of names and passwords", func(w *fixture) {
			for _, hint := range []string{"ot", "in", "er", "st"} {
				telnet(w, outside, idle+":23", hint, dissect.OutcomeFailure)
			}
			telnet(w, outside, idle+":23", "ps", dissect.OutcomeSuccess)
		}, "critical guessed 198.51.100.23"},
	})
}

// TestAccountBesideGuessing has successes of another user than the one whose password fails.
func TestAccountBesideGuessing(t *testing.T) {
	checkPasswords(t, []passwordCase{
		{"an account of his own in between", func(w *fixture) {
			for range 4 {
				telnet(w, outside, idle+":23", "ps", dissect.OutcomeSuccess)
				guess(w, outside, idle+":23", 2, uneven)
			}
			telnet(w, outside, idle+":23", "ps", dissect.OutcomeSuccess)
			w.want("D09")
			telnet(w, outside, idle+":23", "ot", dissect.OutcomeSuccess)
		}, "critical guessed 198.51.100.23"},
		{"guessing goes on beside an account of his own", func(w *fixture) {
			for range 5 {
				guess(w, outside, idle+":23", 2, uneven)
				telnet(w, outside, idle+":23", "ps", dissect.OutcomeSuccess)
			}
		}, "high guessing 198.51.100.23"},
		{"a jump host, another user mistypes", func(w *fixture) {
			telnet(w, host, idle+":23", "ps", dissect.OutcomeSuccess)
			guess(w, host, idle+":23", 3, uneven)
			telnet(w, host, idle+":23", "ps", dissect.OutcomeSuccess)
		}, ""},
	})
}

// Machines log in with some protocols by themselves: with a list of administrators they are learned like everybody else without one.
func TestMachineLogins(t *testing.T) {
	for protocol, want := range map[string][]string{"mqtt": nil, "snmp": nil, "redis": nil, "telnet": {"high 10.0.50.21 1883/tcp"}} {
		e := entry("srv", idle, contract.Silent)
		e.HasExpect = true
		inv := &contract.Inventory{Devices: []contract.Entry{e}, Infrastructure: contract.Infrastructure{
			Admin: []contract.Host{{Prefix: netip.MustParsePrefix("10.0.9.9/32")}}}}
		w := newFixture(t, inv)
		w.reg = device.New(device.Config{Named: inv.Named()})
		w.c.Devices = w.reg
		w.fact(w.connect(host, idle+":1883"), &dissect.Login{Protocol: protocol, Result: dissect.OutcomeSuccess})
		w.want("D08", want...)
	}
}

func TestProtocolsAreNamedInOneWay(t *testing.T) {
	for p, want := range map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp", 47: "47", 0: "0"} {
		if got := Proto(p); got != want {
			t.Errorf("%d: %s", p, got)
		}
	}
	if got := service(&Event{Session: &session.View{Proto: 47}}); got != "IP protocol 47" {
		t.Error(got)
	}
}

// TestGuessesBeforeALogin checks that all failures count, also those that are not kept one by one.
func TestGuessesBeforeALogin(t *testing.T) {
	for n, want := range map[int]string{12: "after 12 failures", 64: "after 64 failures", 65: "after 65 failures", 600: "after 600 failures"} {
		w := newFixture(t, nil)
		guess(w, outside, idle+":23", n, uneven)
		telnet(w, outside, idle+":23", "ot", dissect.OutcomeSuccess)
		f := w.wantLast("D09", "critical guessed 198.51.100.23")
		if !strings.Contains(f.Message, want) || !strings.Contains(f.Brief, Plural(n, "guess", "guesses")) {
			t.Errorf("%d guesses: %q, %q", n, f.Message, f.Brief)
		}
	}
}
