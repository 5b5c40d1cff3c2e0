// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(icmpTunnelRule)

// icmpTunnelRule registers D23.
var icmpTunnelRule = register(registration{
	Rule: Rule{
		ID: "D23", Name: "ICMP tunnel", Kind: "icmp_tunnel", Version: 1, Reliability: 0.8,
		Attack: enterprise(taCommand, "T1095", "T1572"),
	},
	titleOrder: 5,
	advice: map[string]steps{
		"": {
			"Ask the owner of the device and of the monitoring whether they know a program that sends data in pings to this host.",
			"{inspect}",
			"If nobody knows it, block ICMP echo between the device and this host at the firewall. Then {then contain}",
		},
	},
}, DefaultICMPTunnelParams, newICMPTunnel)

// ICMPTunnelParams are the parameters of D23.
type ICMPTunnelParams struct {
	MinMessages   int     `yaml:"min_messages"`   // echo messages with data within the window
	MinBytes      uint64  `yaml:"min_bytes"`      // or bytes of their payload
	WindowMinutes int     `yaml:"window_minutes"` // in which they are counted
	MinEntropy    float64 `yaml:"min_entropy"`    // bits per byte from which on the data count as encrypted or compressed
	MinUnequal    int     `yaml:"min_unequal"`    // replies that differ from their requests, which must be half of those compared
	MaxPairs      int     `yaml:"max_pairs"`      // pairs of device and peer kept
}

// DefaultICMPTunnelParams returns the defaults of D23.
func DefaultICMPTunnelParams() ICMPTunnelParams {
	return ICMPTunnelParams{MinMessages: 20, MinBytes: 10_000, WindowMinutes: 10, MinEntropy: 7, MinUnequal: 3, MaxPairs: 10_000}
}

// icmpTunnel is D23: the echo messages between a device and a peer carry data (dissect.EchoData). The reply to a ping repeats the data of the
// request; what differs was put there. Where no reply is seen at all, the entropy decides.
type icmpTunnel struct {
	p     ICMPTunnelParams
	pairs *table[echoPair, echoCount]
}

// echoPair is a device and the peer with which it exchanges echo messages.
type echoPair struct {
	device uint32
	peer   packet.Addr
}

// echoCount is what a pair has exchanged within the window, over all its sessions.
type echoCount struct {
	counter           // of reports due; messages
	from    int64     // start of the window
	sum     echoTotal // within the window
	session uint64    // the latest session, and what it had carried by its last fact
	before  echoTotal
}

type echoTotal struct {
	messages, compared, unequal int
	bytes                       uint64
}

func newICMPTunnel(p ICMPTunnelParams) *icmpTunnel {
	return &icmpTunnel{p: p, pairs: newTable[echoPair, echoCount](p.MaxPairs)}
}

func (t *icmpTunnel) Rule() Rule { return icmpTunnelRule.Rule }

func (t *icmpTunnel) Kinds() []Kind { return []Kind{SessionFact} }

func (t *icmpTunnel) setParams(p ICMPTunnelParams) {
	t.p = p
	t.pairs.limit(p.MaxPairs)
}

func (t *icmpTunnel) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{t.pairs.part("D23.pairs/1", func(c *snapshot.Codec, k *echoPair) {
		deviceKey(c, &k.device)
		addrKey(c, &k.peer)
	}, func(c *snapshot.Codec, n *echoCount) {
		n.counter.walk(c)
		c.Time(&n.from)
		n.sum.walk(c)
		snapshot.Number(c, &n.session)
		n.before.walk(c)
	})}
}

func (n *echoTotal) walk(c *snapshot.Codec) {
	c.Int(&n.messages)
	c.Int(&n.compared)
	c.Int(&n.unequal)
	snapshot.Number(c, &n.bytes)
}

func (t *icmpTunnel) evictions() uint64 { return t.pairs.evicted() }

func (t *icmpTunnel) Tick(now int64, c *Context) { t.pairs.expire(now - 2*day) }

func (t *icmpTunnel) Observe(e *Event, c *Context) {
	data, ok := e.Fact.(*dissect.EchoData)
	if !ok || !unicast(e.Session) {
		return
	}
	dir, d, peer := session.Out, e.Initiator, &e.Session.Responder
	if d == nil {
		dir, d, peer = session.In, e.Responder, &e.Session.Initiator
	}
	if d == nil {
		return
	}
	n := t.pairs.put(echoPair{d.ID, peer.Addr}, c.Now)
	n.begin(c.Now, day)
	fresh := n.observe(e.Session.ID, data, c.Now, int64(t.p.WindowMinutes)*minute)
	if !t.tunnel(e, c, data, &n.sum) {
		return
	}
	if n.count == 0 {
		fresh = n.sum.messages
	}
	if n.addMany(c.Now, fresh) {
		c.Emit(t.finding(e, c, dir, n, data))
	}
}

// observe adds what the session has carried since its last fact, and returns how many messages that is. When a window
// has passed the next one begins.
func (n *echoCount) observe(id uint64, data *dissect.EchoData, now, window int64) (fresh int) {
	if n.session != id {
		n.session, n.before = id, echoTotal{}
	}
	if now-n.from > window {
		n.from, n.sum = now, echoTotal{}
	}
	was := n.before
	n.before = echoTotal{data.Messages, data.Compared, data.Unequal, data.Bytes}
	n.sum.messages += data.Messages - was.messages
	n.sum.compared += data.Compared - was.compared
	n.sum.unequal += data.Unequal - was.unequal
	n.sum.bytes += data.Bytes - was.bytes
	return data.Messages - was.messages
}

// addMany counts messages and reports whether a report is due: at the first, and whenever their number has doubled.
func (n *echoCount) addMany(at int64, messages int) bool {
	if n.count == 0 {
		n.first = n.from
	}
	n.last = at
	n.count += messages
	return n.reported == 0 || n.count >= 2*n.reported
}

// tunnel reports whether the messages of a window are no pings. That nothing was answered counts only for data without any structure, and only
// if the capture would show the answers.
func (t *icmpTunnel) tunnel(e *Event, c *Context, data *dissect.EchoData, sum *echoTotal) bool {
	if sum.messages < t.p.MinMessages && sum.bytes < t.p.MinBytes {
		return false
	}
	if sum.unequal >= t.p.MinUnequal {
		return 2*sum.unequal >= sum.compared
	}
	return sum.compared == 0 && e.Session.Packets[session.In] == 0 && data.Entropy >= t.p.MinEntropy && !c.Quality.OneWay && !e.Session.OneDirection
}

func (t *icmpTunnel) finding(e *Event, c *Context, dir session.Dir, n *echoCount, data *dissect.EchoData) *Finding {
	f := c.sessionFinding(t.Rule(), e, dir)
	x, source := c.Contracts.Expect(f.Device, c.Now)
	v := c.verdictFor(e, dir)
	f.Key, f.Stage, f.Maintenance = f.Peer.IP, StageOutbound, v.Maintenance
	if f.Severity = Medium; data.Entropy >= t.p.MinEntropy || strict(x, source) {
		f.Severity = High
	}
	if !v.Allowed {
		f.Broken = Clean(v.Broken, 300)
	}
	f.Start, f.Total, f.Count = n.first, n.count, n.take()
	who, peer, messages := f.self(), f.other(), Plural(n.count, "echo message", "echo messages")
	f.Brief = "hides data in pings to " + peer.brief()
	f.Title = headline("%s exchanges data with %s in pings", who, peer)
	differ := fmt.Sprintf("%d of %d replies differed from their requests", data.Unequal, data.Compared)
	if data.Compared == 0 {
		differ = "none was answered"
	}
	f.Message = fmt.Sprintf("Expected: %s sends and answers pings whose reply repeats the request. Seen: since %s it exchanged %s with data with %s, %s of payload in this session, and %s.",
		who.full, clock(n.first), messages, peer.full, size(data.Bytes), differ)
	f.Reasons = t.reasons(f, data, x, source)
	f.Evidence = []Evidence{{Kind: "echo", Summary: fmt.Sprintf("%s, %.1f bits per byte, %s", messages, data.Entropy, differ),
		Data: map[string]any{"messages": n.count, "payload_bytes": data.Bytes, "entropy_bits": float64(int(data.Entropy*100)) / 100, "replies": data.Compared, "unequal_replies": data.Unequal}}}
	f.Recommendation = icmpTunnelRule.advise("", f.Device)
	return f
}

func (t *icmpTunnel) reasons(f *Finding, data *dissect.EchoData, x contract.Expect, source string) []Reason {
	var out []Reason
	if data.Unequal > 0 {
		out = append(out, Reason{Code: "unequal_reply", Text: "a host returns the data of a ping unchanged (RFC 792); these replies carry other data", Weight: 0.5})
	}
	if data.Entropy >= t.p.MinEntropy {
		out = append(out, Reason{Code: "entropy", Text: fmt.Sprintf("the data have %.1f bits of entropy per byte: they are encrypted or compressed", data.Entropy), Weight: 0.3})
	}
	if strict(x, source) {
		out = append(out, Reason{Code: "expected_" + x.String(), Text: "expected: the device " + expectation(x, source), Weight: 0.3})
	}
	if f.Peer.External {
		out = append(out, Reason{Code: "external_peer", Text: "the peer is outside the network", Weight: 0.2})
	}
	return append(out, benign("a probe of the network operator sends such data in pings to this host"))
}
