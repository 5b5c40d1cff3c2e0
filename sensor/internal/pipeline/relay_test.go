// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/internal/testlab/trace"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/pipeline"
)

// relayScene is a capture of one server that should be silent. near is the intruder, far whom it reaches through the server.
type relayScene struct {
	net            *netsim.Net
	rng            *rand.Rand
	near, srv, far *netsim.Host
	start          time.Time
	jitter         time.Duration // of what is forwarded
	chaff          float64       // share of packets that only the far session has
	unrelated      bool          // nothing is forwarded: the far session lives by itself
	plan           []planned
}

// planned is something to send at a time.
type planned struct {
	at   time.Duration
	send func(at time.Time)
}

// leg sends payload in one session.
type leg func(at time.Time, from netsim.Side, n int)

func (s *relayScene) at(d time.Duration, send func(at time.Time)) {
	s.plan = append(s.plan, planned{d, send})
}

func (s *relayScene) run() {
	slices.SortStableFunc(s.plan, func(a, b planned) int { return int(a.at - b.at) })
	for _, p := range s.plan {
		p.send(s.start.Add(p.at))
	}
}

// delay returns how long the server takes to forward something.
func (s *relayScene) delay() time.Duration {
	d := 2*time.Millisecond + time.Duration(s.rng.Int64N(int64(8*time.Millisecond)))
	if s.jitter > 0 {
		d += time.Duration(s.rng.Int64N(int64(s.jitter)))
	}
	return d
}

func tcpLeg(c *netsim.Conn, n *netsim.Net) leg {
	return func(at time.Time, from netsim.Side, k int) { c.WaitUntil(at).Data(from, n.Bytes(k)) }
}

// udpLeg sends datagrams between two hosts; the first bytes are those of QUIC or WireGuard data, whose content is random.
func udpLeg(n *netsim.Net, client, server *netsim.Host, sport, dport uint16) leg {
	return func(at time.Time, from netsim.Side, k int) {
		for ; k > 0; k -= 1200 {
			b := n.Bytes(max(min(k, 1200), 40))
			b[0] = 0x40 | b[0]&0x3f
			if from == netsim.Client {
				n.UDP(at, client, sport, server, dport, b)
			} else {
				n.UDP(at, server, dport, client, sport, b)
			}
			at = at.Add(200 * time.Microsecond)
		}
	}
}

// forward plans a conversation between near and far. toDevice is the side of the near session from which commands come.
func (s *relayScene) forward(near, far leg, toDevice netsim.Side, from, to time.Duration, bulk bool) {
	pause := func() time.Duration { return 600*time.Millisecond + time.Duration(s.rng.Int64N(int64(2*time.Second))) }
	size := func() int { return 60 + s.rng.IntN(1200) }
	if bulk {
		pause = func() time.Duration { return time.Duration(s.rng.Int64N(int64(900 * time.Millisecond))) }
		size = func() int { return 1000 + s.rng.IntN(10_000) }
	}
	packets := 0
	say := func(d time.Duration, l leg, side netsim.Side, n int) {
		s.at(d, func(at time.Time) { l(at, side, n) })
		packets++
	}
	for d := from; d < to; d += pause() {
		n, m := size(), size()
		d2 := d + 30*time.Millisecond + s.delay()
		if s.unrelated {
			d2 = from + time.Duration(s.rng.Int64N(int64(to-from)))
		}
		say(d, near, toDevice, n)
		say(d+s.delay(), far, netsim.Client, n)
		if s.unrelated {
			s.plan[len(s.plan)-1].at = d2
		}
		say(d2+80*time.Millisecond, far, netsim.Server, m)
		if back := d2 + 80*time.Millisecond + s.delay(); s.unrelated {
			say(d+time.Duration(s.rng.Int64N(int64(time.Second))), near, 1-toDevice, size())
		} else {
			say(back, near, 1-toDevice, m)
		}
	}
	for range int(s.chaff * float64(packets) / 2) {
		say(from+time.Duration(s.rng.Int64N(int64(to-from))), far, netsim.Side(s.rng.IntN(2)), size())
	}
}

// The kinds of relays. Each plays about four minutes.
var relayKinds = []struct {
	name string
	play func(s *relayScene)
}{
	{"SSH chain", func(s *relayScene) { s.chain(22, 22, netsim.Client, false) }},
	{"bulk copy", func(s *relayScene) { s.chain(22, 443, netsim.Client, true) }},
	{"reverse tunnel", func(s *relayScene) { s.chain(443, 445, netsim.Server, false) }},
	{"web proxy", func(s *relayScene) { s.requests(false) }},
	{"frp", func(s *relayScene) { s.requests(true) }},
	{"UDP and QUIC", func(s *relayScene) {
		near := udpLeg(s.net, s.near, s.srv, 40_000+uint16(s.rng.IntN(20_000)), 51820)
		far := udpLeg(s.net, s.srv, s.far, 40_000+uint16(s.rng.IntN(20_000)), 443)
		s.forward(near, far, netsim.Client, time.Second, 240*time.Second, true)
		s.run()
	}},
}

// chain has one near and one far session. They close together.
func (s *relayScene) chain(nearPort, farPort uint16, toDevice netsim.Side, bulk bool) {
	if bulk {
		s.near.Delay, s.far.Delay = 500*time.Microsecond, 500*time.Microsecond // else acknowledgements slow the copy down
	}
	client, server := s.near, s.srv
	if toDevice == netsim.Server {
		client, server = s.srv, s.near
	}
	near := s.net.Dial(s.start, client, server, nearPort)
	far := s.net.Dial(s.start.Add(3*time.Second+s.delay()), s.srv, s.far, farPort)
	hello := []byte("SSH-2.0-OpenSSH_9.6\r\n")
	near.Data(toDevice, hello).Data(1-toDevice, hello)
	far.Send(hello).Reply(hello)
	s.forward(tcpLeg(near, s.net), tcpLeg(far, s.net), toDevice, 5*time.Second, 240*time.Second, bulk)
	s.run()
	end := 242 * time.Second
	near.WaitUntil(s.start.Add(end)).Close()
	if s.unrelated {
		end += 20 * time.Second
	}
	far.WaitUntil(s.start.Add(end + s.delay()/2)).Close()
}

// requests forwards each request in sessions of its own. With a control session, the server opens the near sessions too (frp).
func (s *relayScene) requests(control bool) {
	var orders *netsim.Conn
	if control {
		orders = s.net.Dial(s.start, s.srv, s.near, 7000)
		orders.Send(s.net.Bytes(1800)).Reply(s.net.Bytes(1800))
	}
	for d := 8 * time.Second; d < 240*time.Second; d += 3*time.Second + time.Duration(s.rng.Int64N(int64(7*time.Second))) {
		begin := s.start.Add(d)
		var near *netsim.Conn
		if control {
			begin = orders.WaitUntil(begin).Reply(s.net.Bytes(120)).Now().Add(s.delay()) // the order must have arrived
			near = s.net.Dial(begin, s.srv, s.near, 7000)
		} else {
			near = s.net.Dial(begin, s.near, s.srv, 3128)
		}
		if s.unrelated {
			begin = s.start.Add(time.Duration(s.rng.Int64N(int64(240 * time.Second))))
		}
		far := s.net.Dial(begin.Add(s.delay()), s.srv, s.far, 80)
		ask, answer := 300+s.rng.IntN(500), 1500+s.rng.IntN(30_000)
		near.Send(s.net.Bytes(ask))
		far.Send(s.net.Bytes(ask)).Reply(s.net.Bytes(answer))
		if s.rng.Float64() < s.chaff {
			far.Reply(s.net.Bytes(answer / 2))
		}
		end := far.Close()
		if !s.unrelated {
			near.WaitUntil(end.Add(s.delay() / 2))
		}
		near.Reply(s.net.Bytes(answer)).CloseBy(netsim.Server)
	}
	if control {
		orders.Close()
	}
}

// relayAlerts replays scenes at the same time, each with a server of its own, and returns the servers with an alert of D11.
func relayAlerts(t *testing.T, scenes []relayScene, play []func(*relayScene)) map[string]bool {
	t.Helper()
	n := netsim.New(11)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	inv := &contract.Inventory{}
	for i := range scenes {
		s := &scenes[i]
		s.net, s.rng = n, rand.New(rand.NewPCG(uint64(i), 11))
		ip := fmt.Sprintf("10.20.%d.%d", 100+i/200, 1+i%200)
		s.srv = n.Host("srv", ip, fmt.Sprintf("b8:ca:3a:00:%02x:%02x", i/256, i%256), netsim.Linux)
		s.near = n.External(fmt.Sprintf("203.0.%d.%d", 100+i/200, 1+i%200), netsim.Linux, 45*time.Millisecond)
		s.far = n.External(fmt.Sprintf("198.51.%d.%d", 100+i/200, 1+i%200), netsim.Linux, 20*time.Millisecond)
		s.start = time.Date(2026, 3, 2, 9, 0, i%60, 0, time.UTC)
		inv.Devices = append(inv.Devices, contract.Entry{Name: fmt.Sprintf("srv-%03d", i), Match: contract.Match{IP: netip.MustParseAddr(ip)}, Expect: contract.Silent, HasExpect: true})
		play[i](s)
	}
	got := map[string]bool{}
	for _, a := range replayed(t, n, inv) {
		if a.Rule.ID == "D11" {
			got[a.Device.Key] = true
		}
	}
	return got
}

// replayed returns all records of alerts that the replay of a capture raises.
func replayed(t *testing.T, n *netsim.Net, inv *contract.Inventory) []*schemas.Alert {
	t.Helper()
	path := filepath.Join(t.TempDir(), "capture.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	return alertsIn(t, path, inv)
}

// alertsIn returns all records of alerts that the replay of a file raises.
func alertsIn(t *testing.T, path string, inv *contract.Inventory) (got []*schemas.Alert) {
	t.Helper()
	src, err := capture.OpenFiles([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	out := pipeline.Output{Alert: func(a *schemas.Alert) error { got = append(got, a); return nil }}
	r, err := pipeline.New(pipeline.Config{Settings: config.Defaults(), Inventory: inv, Replay: true, Shards: 2}, src, out)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestNoRelayInAnOffice replays a day of an office in which nothing is forwarded, once as it is and once with all its devices expected to be silent.
func TestNoRelayInAnOffice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "office.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trace.Write(f, trace.Config{Kind: trace.Office, Seconds: 86_400, Sessions: 30_000, Packets: 300_000, Seed: 11}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	silent := &contract.Inventory{Devices: []contract.Entry{{Name: "office", Match: contract.Match{Prefix: netip.MustParsePrefix("10.0.0.0/8")}, Expect: contract.Silent, HasExpect: true}}}
	for name, inv := range map[string]*contract.Inventory{"as it is": {}, "silent": silent} {
		all := alertsIn(t, path, inv)
		if name == "silent" && len(all) < 600 {
			t.Errorf("%d alerts about 600 silent devices that open sessions", len(all))
		}
		for _, a := range all {
			if a.Rule.ID == "D11" {
				t.Errorf("%s: %s", name, a.Message)
			}
		}
	}
}

var (
	relayJitters = []time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond}
	relayChaffs  = []float64{0, 0.25, 0.5}
)

// TestRelaysAreFound plays relays of each kind, delayed and with traffic of their own, and sessions of the same shape that have nothing to do
// with each other. The result is the table in docs/detections/D11.md; -args update writes it.
func TestRelaysAreFound(t *testing.T) {
	const each, still = 2, 10
	var scenes []relayScene
	var play []func(*relayScene)
	for _, k := range relayKinds {
		for _, j := range relayJitters {
			for _, c := range relayChaffs {
				for range each {
					scenes, play = append(scenes, relayScene{jitter: j, chaff: c}), append(play, k.play)
				}
			}
		}
		for range still {
			scenes, play = append(scenes, relayScene{unrelated: true}), append(play, k.play)
		}
	}
	got := relayAlerts(t, scenes, play)
	var b strings.Builder
	fmt.Fprint(&b, "| relay | no delay | up to 100 ms | up to 500 ms | not related |\n|---|---|---|---|---|\n")
	i, hits, all := 0, 0, 0
	count := func(n int) (k int) {
		for range n {
			if got[fmt.Sprintf("srv-%03d", i)] {
				k++
			}
			i++
		}
		return k
	}
	for _, k := range relayKinds {
		fmt.Fprintf(&b, "| %s |", k.name)
		for range relayJitters {
			var row []string
			for range relayChaffs {
				n := count(each)
				hits, all = hits+n, all+each
				row = append(row, fmt.Sprintf("%d/%d", n, each))
			}
			fmt.Fprintf(&b, " %s |", strings.Join(row, ", "))
		}
		n := count(still)
		if n > 0 {
			t.Errorf("%s: %d of %d captures of sessions that are not related have an alert", k.name, n, still)
		}
		fmt.Fprintf(&b, " %d/%d |\n", n, still)
	}
	fmt.Fprintf(&b, "\n%d of %d relays were found.\n", hits, all)
	if float64(hits) < 0.95*float64(all) {
		t.Errorf("%d of %d relays were found", hits, all)
	}
	t.Log(b.String())
	checkTable(t, b.String())
}

// checkTable compares the table of the page with what was measured.
func checkTable(t *testing.T, table string) {
	const from, to = "<!-- begin: relays -->\n", "<!-- end: relays -->"
	path := filepath.Join(testneed.Root(t), "docs", "detections", "D11.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(page), from)
	old, tail, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatal("D11.md has no place for the table")
	}
	if old == table {
		return
	}
	if !slices.Contains(flag.Args(), "update") {
		t.Errorf("the table of D11.md differs: -args update writes it\n%s", table)
		return
	}
	if err := os.WriteFile(path, []byte(head+from+table+to+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
