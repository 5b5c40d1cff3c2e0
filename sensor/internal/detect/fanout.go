// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(fanoutRule)

// fanoutRule registers D45.
var fanoutRule = register(registration{
	Rule: Rule{
		ID: "D45", Name: "Calls to many hosts on one port", Kind: "fan_out", Version: 1, Reliability: 0.75,
		Attack: join(enterprise(taCommand, "T1071", "T1095", "T1571"), ics(icsCommand, "T0869")),
	},
	titleOrder: 5,
	advice: map[string]steps{
		"": {
			"Look the addresses up: a vendor's cloud has a few networks, a peer-to-peer botnet has many.",
			"{inspect}",
			"If nobody expects these calls: {then contain}",
		},
	},
}, DefaultFanoutParams, newFanout)

// FanoutParams are the parameters of D45.
type FanoutParams struct {
	Hosts         int   `yaml:"hosts"`          // external hosts on one port; a host that did not answer counts half
	Networks      int   `yaml:"networks"`       // networks (/16, IPv6: /32) among which they are spread at least
	WindowSeconds int   `yaml:"window_seconds"` // time within which they count
	Kept          int   `yaml:"kept"`           // or: sessions with different hosts that are kept open
	KeptSeconds   int   `yaml:"kept_seconds"`   // how long a session has to last to count as kept
	CommonPorts   []int `yaml:"common_ports"`   // ports that are left out
	MaxCallers    int   `yaml:"max_callers"`    // pairs of device and port followed
}

// DefaultFanoutParams returns the defaults of D45.
func DefaultFanoutParams() FanoutParams {
	return FanoutParams{Hosts: 8, Networks: 5, WindowSeconds: 3600, Kept: 3, KeptSeconds: 600, CommonPorts: []int{53, 80, 123, 443, 853}, MaxCallers: 20_000}
}

// maxFanHosts bounds the hosts that are kept of one caller and port.
const maxFanHosts = 48

// fanout is D45: a device that is no computer calls many hosts on one port that is none of the common ones, without having looked them up
// by name. Peer-to-peer botnets find their peers like this.
type fanout struct {
	p       FanoutParams
	callers *table[calledPort, fan]
}

// calledPort is a caller and the port that it calls.
type calledPort struct {
	caller
	port  uint16
	proto uint8
}

// fan is whom one caller has called on one port.
type fan struct {
	counter
	hosts []fanHost
	score int // twice the hosts at the last report
}

type fanHost struct {
	addr     packet.Addr
	at       int64 // last call
	since    int64 // when the session that is kept was opened; 0 if none was answered
	answered bool
	kept     bool // one has lasted
}

func newFanout(p FanoutParams) *fanout {
	return &fanout{p: p, callers: newTable[calledPort, fan](p.MaxCallers)}
}

func (o *fanout) Rule() Rule { return fanoutRule.Rule }

func (o *fanout) Kinds() []Kind { return []Kind{SessionOpened, SessionState, SessionEnded} }

func (o *fanout) setParams(p FanoutParams) {
	o.p = p
	o.callers.limit(p.MaxCallers)
}

func (o *fanout) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{o.callers.part("D45.callers/1", func(c *snapshot.Codec, k *calledPort) {
		k.caller.walk(c)
		snapshot.Number(c, &k.port)
		snapshot.Number(c, &k.proto)
	}, func(c *snapshot.Codec, f *fan) {
		f.counter.walk(c)
		snapshot.List(c, &f.hosts, maxFanHosts, func(h *fanHost) {
			addrKey(c, &h.addr)
			c.Time(&h.at)
			c.Time(&h.since)
			c.Bool(&h.answered)
			c.Bool(&h.kept)
		})
		c.Int(&f.score)
	})}
}

func (o *fanout) evictions() uint64 { return o.callers.evicted() }

func (o *fanout) Tick(now int64, c *Context) {
	o.callers.expire(now - max(day, int64(o.p.WindowSeconds)*second))
}

func (o *fanout) Observe(e *Event, c *Context) {
	v := e.Session
	if !v.HasPorts || slices.Contains(o.p.CommonPorts, int(v.Responder.Port)) || e.Kind == SessionState && !v.Answered() || isComputer(e.Initiator) {
		return
	}
	who, ok := callerOf(e)
	if !ok || !c.callsOut(e) || c.ResponderName(e) != "" {
		return
	}
	k := calledPort{who, v.Responder.Port, v.Proto}
	if e.Kind == SessionEnded {
		if f := o.callers.get(k, c.Now); f != nil && f.ended(v.Responder.Addr, v.End-v.Start, int64(o.p.KeptSeconds)*second) {
			o.evaluate(e, c, f)
		}
		return
	}
	f := o.callers.put(k, c.Now)
	f.begin(c.Now, day)
	if f.call(v.Responder.Addr, c.Now, v.Answered(), int64(o.p.WindowSeconds)*second) {
		f.addPeer(v.Start, addr(&v.Responder, v.V6))
	}
	o.evaluate(e, c, f)
}

// call records a call and reports whether the host is new. Hosts that were called before the window are dropped.
func (f *fan) call(to packet.Addr, now int64, answered bool, window int64) bool {
	i := slices.IndexFunc(f.hosts, func(h fanHost) bool { return h.addr == to })
	if i < 0 {
		f.hosts = slices.DeleteFunc(f.hosts, func(h fanHost) bool { return h.at < now-window && h.since == 0 })
		if len(f.hosts) >= maxFanHosts {
			f.hosts = slices.Delete(f.hosts, 0, 1)
		}
		f.hosts = append(f.hosts, fanHost{addr: to})
		i = len(f.hosts) - 1
	}
	h := &f.hosts[i]
	isNew := h.at == 0
	h.at = now
	if answered && !h.answered {
		h.answered, h.since = true, now
	}
	return isNew
}

// ended records the end of a session and reports whether it was kept long enough to count.
func (f *fan) ended(to packet.Addr, lasted, atLeast int64) bool {
	i := slices.IndexFunc(f.hosts, func(h fanHost) bool { return h.addr == to })
	if i < 0 {
		return false
	}
	h := &f.hosts[i]
	h.since, h.kept = 0, h.kept || h.answered && lasted >= atLeast
	return h.kept
}

// evaluate reports a caller with many hosts, or with sessions that it keeps.
func (o *fanout) evaluate(e *Event, c *Context, f *fan) {
	score, answered, kept := 0, 0, 0
	var nets, keptNets []packet.Addr
	for i := range f.hosts {
		h := &f.hosts[i]
		if h.at < c.Now-int64(o.p.WindowSeconds)*second && h.since == 0 {
			continue
		}
		score++
		if h.answered {
			score++
			answered++
		}
		nets = addDistinct(nets, network(h.addr), maxFanHosts)
		if h.kept || h.since != 0 && c.Now-h.since >= int64(o.p.KeptSeconds)*second {
			kept++
			keptNets = addDistinct(keptNets, network(h.addr), maxFanHosts)
		}
	}
	many := score >= 2*o.p.Hosts && len(nets) >= o.p.Networks
	keeps := o.p.Kept > 0 && kept >= o.p.Kept && len(keptNets) >= o.p.Kept
	if !many && !keeps || score < 2*f.score && f.score > 0 {
		return
	}
	f.score = score
	if x := o.finding(e, c, f, answered, len(nets), kept); x != nil {
		c.Emit(x)
	}
}

// network returns the /16 of an IPv4 address, or the /32 of an IPv6 address.
func network(a packet.Addr) packet.Addr {
	if a.Is4() {
		clear(a[14:])
	} else {
		clear(a[4:])
	}
	return a
}

func (o *fanout) finding(e *Event, c *Context, n *fan, answered, nets, kept int) *Finding {
	f, x, source, ok := c.callerFinding(o.Rule(), e)
	if !ok {
		return nil
	}
	f.Key, f.Stage, f.Severity = "many "+portName(e), StageOutbound, callerSeverity(e.Initiator, x, source)
	f.Start, f.Total, f.Count, f.Peers = n.first, n.count, n.take(), slices.Clone(n.peers)
	f.Entities = append(f.Entities, ipEntities(n.peers)...)
	who, hosts := f.self(), Plural(n.count, "host", "hosts")
	f.Brief = fmt.Sprintf("calls many hosts on %s", portName(e))
	f.Title = headline("%s calls "+hosts+" on %s in "+Plural(nets, "network", "networks"), who, name{portName(e), portName(e)})
	f.Message = fmt.Sprintf("Expected: %s calls few external hosts, and looks them up by name. Seen: since %s it called %s on %s (%s) in %s; %d answered, none was looked up by name.",
		who.full, clock(n.first), hosts, portName(e), listing(n.peers, 3), Plural(nets, "network", "networks"), answered)
	f.Reasons = append(f.Reasons, Reason{Code: "many_hosts", Text: hosts + " on one port", Weight: 0.4}, Reason{Code: "no_name", Text: "the device did not look up the addresses by name", Weight: 0.2})
	if kept > 0 {
		f.Reasons = append(f.Reasons, Reason{Code: "kept", Text: Plural(kept, "session was", "sessions were") + " kept open", Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("the device uses a peer-to-peer service of its vendor, or a game or file sharing program runs on it"))
	f.Evidence = []Evidence{{Kind: "fan_out", Summary: fmt.Sprintf("%s in %s, %d answered, %d kept", hosts, Plural(nets, "network", "networks"), answered, kept),
		Data: map[string]any{"hosts": n.count, "networks": nets, "answered": answered, "kept": kept}}}
	f.Recommendation = fanoutRule.advise("", f.Device)
	return f
}
