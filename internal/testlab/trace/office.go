// SPDX-License-Identifier: Apache-2.0

package trace

import "fmt"

// minSessions is the smallest number of sessions of an office that includes every kind.
const minSessions = 20

// share is the share of one kind of bulk in the packets that remain after the dialogues.
type share struct {
	bulk bulk
	part float64
}

// shares add up to 1. Together with the dialogues they determine the mean frame size.
func shares() []share {
	return []share{
		{bulkInterleaved, 0.160}, {bulkRTP, 0.150}, {bulkRTCP, 0.004}, {bulkTLS, 0.340}, {bulkTLSUp, 0.060},
		{bulkQUIC, 0.120}, {bulkSMB, 0.100}, {bulkHTTP, 0.050}, {bulkSSH, 0.016},
	}
}

// office generates the reference trace.
func (g *generator) office() error {
	if g.Sessions < minSessions {
		return fmt.Errorf("an office has at least %d sessions, not %d", minSessions, g.Sessions)
	}
	n := g.office600()
	g.watch(n)
	g.neighbors(n)
	g.chatter(n)
	if err := g.people(n); err != nil {
		return err
	}
	if err := g.spend(); err != nil {
		return err
	}
	g.run()
	return nil
}

// add schedules a session that starts at a random time and spreads its bulk over at most longest nanoseconds.
func (g *generator) add(d *dialogue, c, s *host, longest int64) *flow {
	span := g.end - g.Start
	return g.addAt(d, c, s, g.Start+int64(g.rng.Float64()*0.9*float64(span)), longest)
}

// addAt schedules a session that starts at a time. gap is the total time of its bulk until spend divides it.
func (g *generator) addAt(d *dialogue, c, s *host, at, longest int64) *flow {
	if d.proto != arpExchange {
		g.made++
	}
	left := max(g.end-at-second, second/100)
	g.flows = append(g.flows, flow{
		next: at, gap: min(longest, left), id: g.rng.Uint64(), d: d, c: c, s: s, cport: g.port(c), sport: d.port,
	})
	return &g.flows[len(g.flows)-1]
}

// port returns the next ephemeral port of a host.
func (g *generator) port(h *host) uint16 {
	const first = 20000
	p := max(g.ports[h], first)
	g.ports[h] = p + 1
	return p
}

// watch lets the recorder pull the streams of all cameras, half of them over UDP.
func (g *generator) watch(n *network) {
	servers := []string{"Hikvision-Webs", "Hikvision-Webs", "Rtsp Server/3.0", "GStreamer RTSP server"}
	cameras := n.cameras[:min(len(n.cameras), 1+g.Sessions/100)]
	for i, c := range cameras {
		at := g.Start + int64(i+1)*100*millisecond
		interleaved := i%2 == 0
		g.addAt(rtspDialogue(dotted(c.ip), servers[i%4], interleaved), n.recorder, c, at, g.end-at).end = endOpen
		if !interleaved {
			at += 200 * millisecond
			video := g.addAt(&dialogue{proto: udp, port: 8000, bulk: bulkRTP}, n.recorder, c, at, g.end-at)
			video.cport = 52000 + uint16(i)*2
			reports := g.addAt(&dialogue{proto: udp, port: 8001, bulk: bulkRTCP}, n.recorder, c, at+millisecond, g.end-at)
			reports.cport = video.cport + 1
		}
	}
}

// neighbors adds ARP exchanges between the hosts of the segment.
func (g *generator) neighbors(n *network) {
	for i := range min(1200, g.Packets/200) {
		c := n.local[i%len(n.local)]
		g.add(&dialogue{proto: arpExchange}, c, n.infra, 0)
	}
}

// chatter adds periodic traffic on fixed ports: discovery and lease renewals.
func (g *generator) chatter(n *network) {
	group := &host{ip: ipOf(224, 0, 0, 251), mac: mac{1, 0, 0x5e, 0, 0, 0xfb}}
	services := []string{"_ipp._tcp.local", "_googlecast._tcp.local", "_airplay._tcp.local"}
	for i, h := range n.local[:min(len(n.local), g.Sessions/50)] {
		f := g.add(mdnsDialogue(services[i%3]), h, group, 120*second)
		f.cport, f.n = 5353, 4
	}
	for i, h := range n.local[:min(len(n.local)/2, g.Sessions/100)] {
		d := &dialogue{proto: udp, port: 67, msgs: []msg{
			{up: true, data: lease(h, false, 3, fmt.Sprintf("ws-%03d", i)), patch: 4, random: 4},
			{data: lease(h, true, 5, ""), patch: 4, random: 4},
		}}
		g.add(d, h, n.infra, 0).cport = 68
	}
}

// lease builds a DHCP message about h.
func lease(h *host, reply bool, kind byte, name string) []byte {
	class := ""
	if !reply {
		class = "MSFT 5.0"
	}
	b := dhcp(reply, kind, h.ip, name, class, []byte{1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252})
	be.PutUint32(b[12:], h.ip)
	copy(b[28:], h.mac[:])
	return b
}

// spend distributes the remaining packets among the sessions, so that the total is as requested.
func (g *generator) spend() error {
	left := g.Packets
	weights := make([]float64, len(g.flows))
	var sum [bulkCount]float64
	var users []int
	for i := range g.flows {
		f := &g.flows[i]
		left -= f.total()
		if b := f.d.bulk; b != bulkNone && b != bulkRepeat && f.end <= endOpen {
			weights[i] = 1 / (0.01 + g.rng.Float64()) // a few are large
			sum[b] += weights[i]
			users = append(users, i)
		}
	}
	if left < 0 {
		return fmt.Errorf("%d sessions need at least %d packets, not %d", g.Sessions, g.Packets-left, g.Packets)
	}
	g.divide(left, users, weights, sum)
	for i := range g.flows {
		f := &g.flows[i]
		f.gap = f.gap * 9 / 10 / int64(max(f.n, 1))
	}
	return nil
}

// divide sets the number of bulk packets of each user; they add up to left.
func (g *generator) divide(left int, users []int, weights []float64, sum [bulkCount]float64) {
	var part [bulkCount]float64
	whole := 0.0
	for _, s := range shares() {
		if sum[s.bulk] > 0 {
			part[s.bulk] = s.part
			whole += s.part
		}
	}
	rest := left
	for _, i := range users {
		b := g.flows[i].d.bulk
		n := int(float64(left) * part[b] / whole * weights[i] / sum[b])
		g.flows[i].n = int32(min(n, rest))
		rest -= int(g.flows[i].n)
	}
	for k := 0; rest > 0; k, rest = k+1, rest-1 {
		g.flows[users[k%len(users)]].n++
	}
}
