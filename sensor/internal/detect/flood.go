// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"encoding/binary"
	"fmt"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(floodRule)

// floodRule registers D15.
var floodRule = register(registration{
	Rule: Rule{
		ID: "D15", Name: "Flood", Kind: "flood", Version: 1, Reliability: 0.95,
		Attack: join(enterprise(taImpact, "T1498.001"), ics(icsInhibit, "T0814")),
	},
	titleOrder: 1,
	advice: map[string]steps{
		"": {
			"{contain}",
			"Search for other devices that send to the same address.",
			"Find out who controls the device: look for a session that it keeps open. {renew}",
		},
		"forged": {
			"Find the switch port on which frames with this MAC come in, or the host behind the router that has it, and close it.",
			"Let routers drop packets with source addresses of other networks (BCP 38, RFC 2827).",
			"Search for other devices that send to the same address.",
		},
		"names": {
			"{contain}",
			"Block the domain at the resolver while the queries last, and search its log for other devices that ask for names below it.",
			"Find out who controls the device: look for a session that it keeps open. {renew}",
		},
	},
}, DefaultFloodParams, newFlood)

// FloodParams are the parameters of D15.
type FloodParams struct {
	Rate        float64  `yaml:"rate"`         // packets a second to one destination
	Factor      float64  `yaml:"factor"`       // times the highest rate at which the device usually sends without replies
	Seconds     int      `yaml:"seconds"`      // how long it lasts at least
	Replies     float64  `yaml:"replies"`      // replies for each packet, at most
	OneWay      []string `yaml:"one_way"`      // protocols that send without replies by design
	Names       int      `yaml:"names"`        // different random names below one registered domain, of which hardly any exists; 0: they do not count
	NameSeconds int      `yaml:"name_seconds"` // time within which they are looked up
	NameBits    float64  `yaml:"name_bits"`    // bits that a letter of these names costs after the one before it, on average: random ones about 6
	Found       float64  `yaml:"found"`        // names that exist, for each name, at most
	Exempt      []string `yaml:"exempt"`       // domains whose names are data by design, such as those of virus scanners
	MaxTargets  int      `yaml:"max_targets"`  // pairs of device and destination kept, and of device and domain
	MaxContacts int      `yaml:"max_contacts"` // pairs of hosts kept that have answered each other
	MaxSessions int      `yaml:"max_sessions"` // sessions of which it is kept how far they were counted
}

// DefaultFloodParams returns the defaults of D15.
func DefaultFloodParams() FloodParams {
	return FloodParams{Rate: 50, Factor: 10, Seconds: 10, Replies: 0.1, OneWay: []string{"rtp", "rtcp", "syslog", "netflow", "ipfix", "sflow"},
		Names: 150, NameSeconds: 60, NameBits: 5, Found: 0.1, Exempt: DefaultDNSTunnelParams().Exempt, MaxTargets: 20_000, MaxContacts: 50_000, MaxSessions: 20_000}
}

// flood is D15: a device sends many packets to one destination that does not answer: SYNs to one port, datagrams or echo requests. Bots take
// part in attacks like this. It counts sessions and what they have carried, never single packets: a flood whose packets have a source port
// each is a session each.
type flood struct {
	p        FloodParams
	few      sketch `snapshot:"-"`
	targets  *table[flooded, stream]
	contacts *table[[2]packet.Addr, struct{}] // pairs that have answered each other, the lower address first
	sessions *table[uint64, flow]             `snapshot:"-"`
	usual    *table[uint32, habit]            // by device: highest rate without replies to a host that it knows
	zones    *table[zone, torture]            // names that do not exist
	stations *table[packet.MAC, string]       `snapshot:"-"` // keys of the devices that send from addresses outside
}

// flooded is a device and where it sends: for TCP one port.
type flooded struct {
	caller
	addr  packet.Addr
	port  uint16
	proto uint8
}

// stream is what a device has sent to one destination in a window.
type stream struct {
	from    int64
	out, in uint64
	counter counter // windows that were a flood
	rate    float64 // the highest
	sources uint64  // if the sender is known by its MAC: a bit for each source address, by its hash
}

// habit is how fast a device usually streams without replies.
type habit struct{ rate float64 }

// flow is what was counted of a session, and when.
type flow struct {
	out, in uint64
	at      int64
}

func newFlood(p FloodParams) *flood {
	return &flood{p: p, targets: newTable[flooded, stream](p.MaxTargets), contacts: newTable[[2]packet.Addr, struct{}](p.MaxContacts),
		sessions: newTable[uint64, flow](p.MaxSessions), usual: newTable[uint32, habit](p.MaxTargets), zones: newTable[zone, torture](p.MaxTargets),
		stations: newTable[packet.MAC, string](p.MaxTargets)}
}

func (x *flood) Rule() Rule { return floodRule.Rule }

func (x *flood) Kinds() []Kind {
	return []Kind{SessionOpened, SessionState, SessionFact, SessionProgress, SessionEnded}
}

func (x *flood) setParams(p FloodParams) {
	x.p = p
	x.targets.limit(p.MaxTargets)
	x.contacts.limit(p.MaxContacts)
	x.sessions.limit(p.MaxSessions)
	x.usual.limit(p.MaxTargets)
	x.zones.limit(p.MaxTargets)
	x.stations.limit(p.MaxTargets)
}

func (x *flood) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{
		x.targets.part("D15.targets/2", func(c *snapshot.Codec, k *flooded) {
			k.caller.walk(c)
			addrKey(c, &k.addr)
			snapshot.Number(c, &k.port)
			snapshot.Number(c, &k.proto)
		}, func(c *snapshot.Codec, s *stream) {
			c.Time(&s.from)
			c.Uint(&s.out)
			c.Uint(&s.in)
			s.counter.walk(c)
			c.Float(&s.rate)
			c.Uint(&s.sources)
		}),
		x.zonesPart(),
		x.contacts.part("D15.contacts/1", func(c *snapshot.Codec, k *[2]packet.Addr) {
			addrKey(c, &k[0])
			addrKey(c, &k[1])
		}, nothing),
		x.usual.part("D15.usual/1", deviceKey, func(c *snapshot.Codec, h *habit) { c.Float(&h.rate) }),
	}
}

func (x *flood) evictions() uint64 {
	return x.targets.evicted() + x.contacts.evicted() + x.sessions.evicted() + x.usual.evicted() + x.zones.evicted() + x.stations.evicted()
}

func (x *flood) Tick(now int64, c *Context) {
	x.targets.expire(now - 2*day)
	x.contacts.expire(now - day)
	x.sessions.expire(now - hour)
	x.usual.expire(now - 7*day)
	x.zones.expire(now - 2*day)
	x.stations.expire(now - day)
}

func (x *flood) Observe(e *Event, c *Context) {
	if e.Kind == SessionFact {
		x.names(e, c)
		return
	}
	v := e.Session
	if v.Answered() {
		if (e.Kind == SessionState || e.Kind == SessionProgress) && v.Proto == protoTCP {
			x.contacts.put(pairOf(v), c.Now)
		}
		if e.Kind != SessionEnded && e.Kind != SessionProgress && v.Proto == protoTCP {
			return // a connection is no flood
		}
	}
	if v.Proto == protoTCP && v.PayloadBytes != [2]uint64{} || !unicast(v) || e.App != nil && slices.Contains(x.p.OneWay, e.App.Name) {
		return
	}
	all, n := x.senders(e, c)
	window := int64(max(x.p.Seconds, 1)) * second
	var before flow
	counted := false
	for _, by := range all[:n] {
		k := x.key(by, v)
		if !x.few.exceeds(&k, v.Packets[session.Out], c.Now, window, x.p.Rate*float64(window)/float64(10*second)) {
			continue
		}
		if !counted {
			before, counted = x.counted(e, c), true
		}
		x.count(e, c, k, by, before, window)
	}
}

// count adds what a session has carried since the last event to what its sender has sent to the destination.
func (x *flood) count(e *Event, c *Context, k flooded, by sender, before flow, window int64) {
	v := e.Session
	out, in := v.Packets[session.Out]-min(before.out, v.Packets[session.Out]), v.Packets[session.In]-min(before.in, v.Packets[session.In])
	if out == 0 && in == 0 {
		return
	}
	s := x.targets.put(k, c.Now)
	if c.Now-s.from >= 2*window {
		s.from, s.out, s.in, s.sources = c.Now, 0, 0, 0
	}
	if by.mac {
		s.note(&v.Initiator.Addr)
		if by.device != nil {
			*x.stations.put(v.Initiator.MAC, c.Now) = by.device.Key
		}
	}
	if took := v.End - before.at; took > window {
		x.evaluate(e, c, s, by, out, in, took) // one session over a longer time
		return
	}
	s.out, s.in = s.out+out, s.in+in
	if took := c.Now - s.from; took >= window {
		x.evaluate(e, c, s, by, s.out, s.in, took)
		s.from, s.out, s.in, s.sources = c.Now, 0, 0, 0
	}
}

// sketch counts the packets to each destination in a window, or more than that: destinations share cells. Most get so few that they need no entry
// in a table.
type sketch struct {
	from  int64 // of the window
	cells [4096]uint64
	kept  [4096]bool // the cell exceeded the limit in the window before
}

// exceeds adds n packets to a destination, and reports whether it may have got more than limit in this window or the one before.
func (s *sketch) exceeds(k *flooded, n uint64, now, window int64, limit float64) bool {
	if now-s.from >= window || now < s.from {
		for i := range s.cells {
			s.kept[i] = float64(s.cells[i]) > limit && now-s.from < 2*window
		}
		s.from, s.cells = now, [4096]uint64{}
	}
	h := binary.LittleEndian.Uint64(k.addr[8:]) ^ binary.LittleEndian.Uint64(k.caller.addr[8:])<<1 ^ uint64(k.device)<<24 ^ uint64(k.port)<<8 ^ uint64(k.proto)
	h = (h ^ binary.LittleEndian.Uint64(k.addr[:8])*0xff51afd7ed558ccd) * 0x9e3779b97f4a7c15
	i := h >> 52
	s.cells[i] += n
	return float64(s.cells[i]) > limit || s.kept[i]
}

// counted returns what was counted of the session of e before, and notes that it is counted now. The first packet is counted when the session
// opens, so that sessions of one packet, of which a flood may have millions, need no entry.
func (x *flood) counted(e *Event, c *Context) (before flow) {
	v := e.Session
	now := flow{v.Packets[session.Out], v.Packets[session.In], v.End}
	first := flow{1, 0, v.Start}
	switch e.Kind {
	case SessionOpened:
		if now.out == 1 && now.in == 0 {
			return flow{at: v.Start}
		}
		return now // it was reported before
	case SessionEnded:
		if f, ok := x.sessions.take(v.ID); ok {
			return f
		}
		return first
	}
	f := x.sessions.put(v.ID, c.Now)
	if before = *f; before.at == 0 {
		before = first
	}
	*f = now
	return before
}

// pairOf returns both ends of a session, the lower address first.
func pairOf(v *session.View) [2]packet.Addr {
	a, b := v.Initiator.Addr, v.Responder.Addr
	if string(a[:]) > string(b[:]) {
		a, b = b, a
	}
	return [2]packet.Addr{a, b}
}

// evaluate reports a flood: packets that were sent within a time and hardly answered. A host with which the device has had a connection takes
// part in something that both want, such as video or a backup; its rate is what is usual for the device.
func (x *flood) evaluate(e *Event, c *Context, s *stream, by sender, out, in uint64, took int64) {
	rate := float64(out) * float64(second) / float64(took)
	if rate < x.p.Rate || float64(in) > x.p.Replies*float64(out) || c.Quality.OneWay || by.mac && by.device == nil && !s.forged() {
		return
	}
	known := x.contacts.get(pairOf(e.Session), c.Now) != nil
	if d := by.device; d != nil {
		if known {
			u := x.usual.put(d.ID, c.Now)
			u.rate = max(u.rate, rate)
		} else if u := x.usual.get(d.ID, c.Now); u != nil && rate < x.p.Factor*u.rate {
			return
		}
	}
	if known {
		return
	}
	s.counter.begin(c.Now, day)
	s.rate = max(s.rate, rate)
	if s.counter.add(c.Now - took) {
		if f := x.finding(e, c, s, by); f != nil {
			c.Emit(f)
		}
	}
}

func (x *flood) finding(e *Event, c *Context, s *stream, by sender) *Finding {
	var f *Finding
	if by.mac {
		f = x.forgedFinding(e, c, by)
	} else if g, _, _, ok := c.callerFinding(x.Rule(), e); ok {
		f = g
	} else {
		return nil
	}
	v := e.Session
	what := map[uint8]string{protoTCP: "SYNs", protoUDP: "datagrams", protoICMP: "echo requests", protoICMP6: "echo requests"}[v.Proto]
	if what == "" {
		what = "packets"
	}
	f.Key, f.Stage, f.Severity = "flood "+serviceKey(addr(&v.Responder, v.V6), v), StageOutbound, Critical
	if v.Proto == protoUDP && !f.Peer.External {
		f.Severity = Medium // a stream of a protocol that is not known looks the same
	}
	if v.Proto != protoTCP {
		f.Key, f.Peer.Port = "flood "+f.Peer.IP+"/"+Proto(v.Proto), 0
	}
	f.Start, f.Total, f.Count = s.counter.first, s.counter.count, s.counter.take()
	who, target, rate := f.self(), f.Peer.at(), fmt.Sprintf("%.0f %s a second", s.rate, what)
	f.Brief = "floods " + target.brief()
	f.Title = headline("%s floods %s with "+rate, who, target)
	f.Message = fmt.Sprintf("Expected: %s sends only to hosts that answer. Seen: since %s it sent up to %s to %s, with less than %.0f %% of replies.",
		who.full, clock(s.counter.first), rate, f.other().full, 100*x.p.Replies)
	f.Reasons = append(f.Reasons, Reason{Code: "rate", Text: rate, Weight: 0.5}, Reason{Code: "no_reply", Text: "the destination hardly answered", Weight: 0.3},
		benign("the device sends a stream of data that needs no replies; then add the destination to the inventory"))
	f.Evidence = []Evidence{{Kind: "flood", Summary: "up to " + rate, Data: map[string]any{"packets_per_second": int(s.rate), "windows": s.counter.count}}}
	f.Recommendation = floodRule.advise("", f.Device)
	if by.mac && by.device == nil {
		f.Severity = Medium // a popular service that is down looks the same
		f.Key = "forged " + f.Key
		f.Title = headline("Many sources behind one router flood %s with "+rate, target)
		f.Message = fmt.Sprintf("Expected: hosts send only to hosts that answer. Seen: since %s packets with many source addresses and the MAC %s went to %s, up to %s, with less than %.0f %% of replies.",
			clock(s.counter.first), v.Initiator.MAC, f.other().full, rate, 100*x.p.Replies)
		f.Recommendation = floodRule.advise("forged", nil)
	}
	return f
}
