// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(reflectionRule)

// reflectionRule registers D40.
var reflectionRule = register(registration{
	Rule: Rule{
		ID: "D40", Name: "Reflection", Kind: "reflection", Version: 1, Reliability: 0.9,
		Attack: join(enterprise(taImpact, "T1498.002"), ics(icsInhibit, "T0814")),
	},
	titleOrder: 6,
	advice: map[string]steps{
		"": {
			"Block the port for external hosts at the firewall: the requests have forged addresses, and the replies go to the victim.",
			"Switch the service off on the device if nobody needs it.",
			"Search for other devices that answer on this port.",
		},
	},
}, DefaultReflectionParams, newReflection)

// ReflectionParams are the parameters of D40.
type ReflectionParams struct {
	Ports         []int   `yaml:"ports"`          // UDP ports of services that are used as reflectors
	Amplification float64 `yaml:"amplification"`  // bytes of answers for each byte of requests
	Rate          float64 `yaml:"rate"`           // answers a second
	Bytes         int     `yaml:"bytes"`          // or: bytes of answers within the window
	WindowSeconds int     `yaml:"window_seconds"` // time over which answers are counted
	MaxTargets    int     `yaml:"max_targets"`    // triples of device, port and network kept
	MaxSessions   int     `yaml:"max_sessions"`   // sessions of which it is kept how far they were counted
}

// DefaultReflectionParams returns the defaults of D40.
func DefaultReflectionParams() ReflectionParams {
	return ReflectionParams{Ports: []int{19, 53, 123, 161, 389, 1900, 3702, 11211, 37020, 37810}, Amplification: 5, Rate: 10, Bytes: 1_000_000, WindowSeconds: 60,
		MaxTargets: 10_000, MaxSessions: 20_000}
}

// reflection is D40: a device answers many small requests from outside with large datagrams. The requests carry the address of a victim, who
// gets the answers. They come from one address or one network at a time; a server that many ask is none.
type reflection struct {
	p        ReflectionParams
	targets  *table[reflected, answers]
	sessions *table[uint64, amount] `snapshot:"-"`
}

// reflected is a device, its port, and the network that its answers hit.
type reflected struct {
	device uint32
	port   uint16
	net    packet.Addr
}

// amount is what was counted of a session, or in a window: packets and bytes of IP, by direction.
type amount struct{ packets, bytes [2]uint64 }

// answers are what one network was sent.
type answers struct {
	from    int64 // of the window
	window  amount
	counter counter // windows in which it was too much
}

func newReflection(p ReflectionParams) *reflection {
	return &reflection{p: p, targets: newTable[reflected, answers](p.MaxTargets), sessions: newTable[uint64, amount](p.MaxSessions)}
}

func (r *reflection) Rule() Rule { return reflectionRule.Rule }

func (r *reflection) Kinds() []Kind { return []Kind{SessionState, SessionProgress, SessionEnded} }

func (r *reflection) setParams(p ReflectionParams) {
	r.p = p
	r.targets.limit(p.MaxTargets)
	r.sessions.limit(p.MaxSessions)
}

func (r *reflection) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{r.targets.part("D40.targets/1", func(c *snapshot.Codec, k *reflected) {
		deviceKey(c, &k.device)
		snapshot.Number(c, &k.port)
		addrKey(c, &k.net)
	}, func(c *snapshot.Codec, x *answers) {
		c.Time(&x.from)
		for i := range 2 {
			c.Uint(&x.window.packets[i])
			c.Uint(&x.window.bytes[i])
		}
		x.counter.walk(c)
	})}
}

func (r *reflection) evictions() uint64 { return r.targets.evicted() + r.sessions.evicted() }

func (r *reflection) Tick(now int64, c *Context) {
	r.targets.expire(now - 2*day)
	r.sessions.expire(now - hour)
}

func (r *reflection) Observe(e *Event, c *Context) {
	v := e.Session
	if v.Proto != protoUDP || e.Responder == nil || e.Initiator != nil || v.Packets[session.In] == 0 || !slices.Contains(r.p.Ports, int(v.Responder.Port)) {
		return
	}
	if !unicast(v) || !c.external(nil, addr(&v.Initiator, v.V6)) {
		return
	}
	now := amount{v.Packets, v.IPBytes}
	more := now.without(r.counted(e, c, now))
	if more.packets == [2]uint64{} {
		return
	}
	x := r.targets.put(reflected{e.Responder.ID, v.Responder.Port, nearby(v.Initiator.Addr)}, c.Now)
	window := int64(r.p.WindowSeconds) * second
	if c.Now-x.from >= window {
		x.from, x.window = c.Now, amount{}
	}
	took := window
	if lasted := v.End - v.Start; lasted > window && e.Kind == SessionEnded {
		more, took = now, lasted // a slow session is evaluated as a whole
	} else {
		x.window.add(more)
		more = x.window
	}
	if !r.p.much(more, took) || c.inbound(e).Entry != "" {
		return
	}
	x.counter.begin(c.Now, day)
	fresh := x.counter.count == 0 || c.Now-x.counter.last >= window
	if fresh && x.counter.add(c.Now) {
		c.Emit(r.finding(e, c, x, more, took))
	}
}

// counted returns what was counted of the session of e before, and notes that it is counted now.
func (r *reflection) counted(e *Event, c *Context, now amount) (before amount) {
	if e.Kind == SessionEnded {
		before, _ = r.sessions.take(e.Session.ID)
		return before
	}
	s := r.sessions.put(e.Session.ID, c.Now)
	before, *s = *s, now
	return before
}

func (s amount) without(x amount) amount {
	for i := range 2 {
		s.packets[i] -= min(x.packets[i], s.packets[i])
		s.bytes[i] -= min(x.bytes[i], s.bytes[i])
	}
	return s
}

func (s *amount) add(x amount) {
	for i := range 2 {
		s.packets[i] += x.packets[i]
		s.bytes[i] += x.bytes[i]
	}
}

// factor returns the bytes of answers for each byte of requests.
func (s *amount) factor() float64 {
	return float64(s.bytes[session.In]) / float64(max(s.bytes[session.Out], 1))
}

// much reports whether what was sent in a time is a reflection.
func (p *ReflectionParams) much(s amount, took int64) bool {
	if s.factor() < p.Amplification {
		return false
	}
	seconds := float64(took) / float64(second)
	return float64(s.packets[session.In]) >= p.Rate*seconds || float64(s.bytes[session.In]) >= float64(p.Bytes)*seconds/float64(p.WindowSeconds)
}

// nearby returns the /24 of an IPv4 address, or the /48 of an IPv6 address.
func nearby(a packet.Addr) packet.Addr {
	if a.Is4() {
		a[15] = 0
	} else {
		clear(a[6:])
	}
	return a
}

func (r *reflection) finding(e *Event, c *Context, x *answers, much amount, took int64) *Finding {
	v := e.Session
	f := c.sessionFinding(r.Rule(), e, session.In)
	bits := 24
	if v.V6 {
		bits = 48
	}
	victim, _ := addr(&v.Initiator, v.V6).Prefix(bits)
	f.Key, f.Stage, f.Severity = portName(e)+" to "+victim.String(), StageOutbound, High
	f.Maintenance = c.inbound(e).Maintenance
	f.Start, f.Total, f.Count = x.counter.first, x.counter.count, x.counter.take()
	who, port := f.self(), portName(e)
	what := fmt.Sprintf("%s with %s to %s of requests", Plural(much.packets[session.In], "datagram", "datagrams"), size(much.bytes[session.In]), size(much.bytes[session.Out]))
	f.Brief = "is used as a reflector on " + port
	f.Title = headline("%s is used as a reflector on "+port+" against %s", who, f.other())
	f.Message = fmt.Sprintf("Expected: %s answers no host outside on %s with much more than it is asked. Seen: within %s, until %s, it answered %s: %s, %.0f times as much as the requests.",
		who.full, port, span(took), clock(c.Now), f.Peer.IP, what, much.factor())
	f.Reasons = []Reason{{Code: "amplification", Text: fmt.Sprintf("the answers are %.0f times as large as the requests", much.factor()), Weight: 0.5},
		{Code: "rate", Text: what, Weight: 0.3}, benign("a management station outside asks for much; then add it to the inventory (direction in)")}
	f.Evidence = []Evidence{{Kind: "reflection", Summary: what, Data: map[string]any{"answers": much.packets[session.In], "answer_bytes": much.bytes[session.In],
		"requests": much.packets[session.Out], "request_bytes": much.bytes[session.Out]}}}
	f.Recommendation = reflectionRule.advise("", f.Device)
	return f
}
