// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(relayRule)

// relayRule registers D11.
var relayRule = register(registration{
	Rule: Rule{
		ID: "D11", Name: "Relay", Kind: "relay", Version: 1, Reliability: 0.95,
		Attack: join(
			enterprise(taResources, "T1584.008"),
			enterprise(taCommand, "T1090.001", "T1090.002", "T1090.003"),
			ics(icsCommand, "T0884"),
		),
	},
	titleOrder: 2,
	advice: map[string]steps{
		"": {
			"{contain}",
			"Find out who opened the session on the near side of the relay, and how: look for a login before it.",
			"Check what was reached through the device, then: {then renew}",
		},
	},
}, DefaultRelayParams, newRelay)

// RelayParams are the parameters of D11.
type RelayParams struct {
	ConnectMS    int     `yaml:"connect_ms"`    // an outbound session begins at most so long after payload or a session came in
	ConnectPairs int     `yaml:"connect_pairs"` // such pairs
	IdleMS       int     `yaml:"idle_ms"`       // pause between two bursts of a session
	DeltaMS      int     `yaml:"delta_ms"`      // a burst begins at most so long after that of the other session
	DelayMS      int     `yaml:"delay_ms"`      // the same for relays that delay what they forward
	BurstPairs   int     `yaml:"burst_pairs"`   // bursts in a row that begin together
	BurstShare   float64 `yaml:"burst_share"`   // of the bursts of the session with fewer
	LagMS        int     `yaml:"lag_ms"`        // how far the byte curves may be apart
	Correlation  float64 `yaml:"correlation"`   // of the byte curves
	MinRatio     float64 `yaml:"min_ratio"`     // bytes out by bytes in
	MaxRatio     float64 `yaml:"max_ratio"`     // the same
	Seconds      int     `yaml:"seconds"`       // of the curves at least, at most 120
	Bytes        int     `yaml:"bytes"`         // forwarded within these
	CloseMS      int     `yaml:"close_ms"`      // both sessions close within
	Nats         float64 `yaml:"nats"`          // evidence against chance that pairs must have, natural units of information
	MaxDevices   int     `yaml:"max_devices"`   // devices followed
	MaxSessions  int     `yaml:"max_sessions"`  // sessions kept of one device
}

// DefaultRelayParams returns the defaults of D11.
func DefaultRelayParams() RelayParams {
	return RelayParams{
		ConnectMS: 1000, ConnectPairs: 3, IdleMS: 500, DeltaMS: 80, DelayMS: 600, BurstPairs: 2, BurstShare: 0.3, LagMS: 2000, Correlation: 0.7,
		MinRatio: 0.8, MaxRatio: 1.25, Seconds: 60, Bytes: 50_000, CloseMS: 500, Nats: 11.5, MaxDevices: 1000, MaxSessions: 16,
	}
}

// relay is D11: a device forwards what it receives in one session through another, so that an intruder reaches others under its address.
// Sessions of a device are compared in pairs. The near session leads to the intruder: the peer has opened it, or the device has (reverse
// tunnel). The far session is one that the device has opened to another peer.
type relay struct {
	p     RelayParams
	hosts *table[uint32, relayHost]   `snapshot:"-"` // by device; sessions end with the run
	links *table[relayKey, relayLink] `snapshot:"-"` // what was found; the alert has it too
}

// relayHost is what is known of a device that may be a relay. The lists are in the order of time.
type relayHost struct {
	legs   []*relayLeg
	marks  []relayTime // payload began to arrive from a peer, or a peer opened a session
	starts []relayTime // of far sessions
	closes []relayTime
}

// relayTime is a time at which a session with a peer began, ended, or received payload.
type relayTime struct {
	at   int64
	peer packet.Addr
	far  bool // the device opened the session
	id   uint64
}

// relayLeg is one session of a device.
type relayLeg struct {
	view     session.View
	app      *fingerprint.App
	peerDev  *device.Device
	dir      session.Dir // Out if the device opened it
	external bool
	closed   bool
	bursts   []relayBurst
	bins     []relayBin
	from, to int64 // time that the bins cover
}

// relayBurst is the start of payload after a pause.
type relayBurst struct {
	at int64
	in bool // from the peer
}

// relayBin is the payload within session.BinTime. n counts bins since the epoch.
type relayBin struct {
	n       int64
	in, out uint32 // from the peer, to the peer
}

// relayKey is a device and the peer of its near sessions.
type relayKey struct {
	device uint32
	peer   packet.Addr
}

const (
	maxRelayTimes = 256 // times kept of a device, and bursts of a session
	maxRelayBins  = 512 // of one session
	relayMemory   = hour
)

func newRelay(p RelayParams) *relay {
	return &relay{p: p, hosts: newTable[uint32, relayHost](p.MaxDevices), links: newTable[relayKey, relayLink](p.MaxDevices)}
}

func (r *relay) Rule() Rule { return relayRule.Rule }

func (r *relay) Kinds() []Kind {
	return []Kind{SessionOpened, SessionState, SessionFact, SessionActivity, SessionEnded}
}

func (r *relay) setParams(p RelayParams) {
	r.p = p
	r.hosts.limit(p.MaxDevices)
	r.links.limit(p.MaxDevices)
}

// parts returns nothing: sessions end with the run.
func (r *relay) parts(*device.Registry) []snapshot.Part { return nil }

func (r *relay) evictions() uint64 { return r.hosts.evicted() + r.links.evicted() }

func (r *relay) Tick(now int64, _ *Context) {
	r.hosts.expire(now - relayMemory)
	r.links.expire(now - day)
}

func (r *relay) Observe(e *Event, c *Context) {
	if v := e.Session; !v.HasPorts || e.Initiator == e.Responder || v.ToGroup() || v.Unconfirmed && e.Kind == SessionOpened {
		return
	}
	if e.Initiator != nil {
		r.end(e, c, e.Initiator, session.Out)
	}
	if e.Responder != nil {
		r.end(e, c, e.Responder, session.In)
	}
}

// end looks at an event of a session from the end of one device.
func (r *relay) end(e *Event, c *Context, d *device.Device, dir session.Dir) {
	h := r.hosts.get(d.ID, c.Now)
	var x *relayLeg
	if h != nil {
		x = h.leg(e.Session.ID)
	}
	if x == nil {
		if e.Kind == SessionEnded || closed(e.Session) || dir == session.In && !e.Session.Answered() {
			return
		}
		if h == nil && dir == session.Out && !restricted(d, c) {
			return // a computer that nobody has called
		}
		if x = r.admit(e, c, d, dir); x == nil {
			return
		}
		if h == nil {
			h = r.hosts.put(d.ID, c.Now)
		}
		if !r.begin(e, c, d, h, x) {
			return
		}
	}
	x.view, x.app = *e.Session, e.App
	switch e.Kind {
	case SessionFact:
		if e.FactDir != dir {
			h.mark(x, e.Time)
		}
	case SessionState:
		if closed(&x.view) && !x.closed {
			x.closed = true
			h.closes = insertRelayTime(h.closes, x.time(e.Time))
			r.ended(c, d, h, x)
		}
	case SessionActivity:
		r.activity(e, c, d, h, x)
	}
}

// restricted reports whether a device should forward nothing: it is declared or was found to open no sessions of its own, or it serves a single
// purpose.
func restricted(d *device.Device, c *Context) bool {
	if x, _ := c.Contracts.Expect(d, c.Now); x != contract.Normal {
		return true
	}
	return isAppliance(d) && d.Role != device.NetworkGear
}

// admit returns the leg of a session, nil if it is none that a relay uses: the contract allows it, or forwarding is what the device is for.
func (r *relay) admit(e *Event, c *Context, d *device.Device, dir session.Dir) *relayLeg {
	v := e.Session
	if d.Router || device.Infrastructure(v) {
		return nil
	}
	peer, dev := &v.Responder, e.Responder
	if dir == session.In {
		peer, dev = &v.Initiator, e.Initiator
	}
	external := c.external(dev, addr(peer, v.V6))
	if !restricted(d, c) && (!external || isGateway(d)) {
		return nil
	}
	if dir == session.Out {
		if !Originated(e) || dev != nil && dev.Role == device.Camera && isRecorder(d) {
			return nil // a recorder records the camera
		}
		if w := c.verdict(e); w.Infrastructure || w.Entry != "" {
			return nil
		}
	}
	return &relayLeg{view: *v, dir: dir, peerDev: dev, external: external}
}

// isGateway reports whether a device is likely one that forwards sessions for others.
func isGateway(d *device.Device) bool { return d.Role == device.NetworkGear && d.Level >= device.Hint }

// begin adds a leg to its device. If there are too many, one leaves: a closed one, or else the one that was used longest ago. It reports whether
// there was room: a session that only continues does not replace another that does.
func (r *relay) begin(e *Event, c *Context, d *device.Device, h *relayHost, x *relayLeg) bool {
	if len(h.legs) >= max(r.p.MaxSessions, 2) {
		old := 0
		for i, y := range h.legs {
			z := h.legs[old]
			if y.closed && !z.closed || y.closed == z.closed && max(y.to, y.view.End) < max(z.to, z.view.End) {
				old = i
			}
		}
		if y := h.legs[old]; e.Kind == SessionActivity && !y.closed && max(y.to, y.view.End) > c.Now-minute {
			return false
		}
		h.legs = slices.Delete(h.legs, old, old+1)
	}
	h.legs = append(h.legs, x)
	if x.dir == session.In {
		h.mark(x, e.Time)
	} else {
		h.starts = insertRelayTime(h.starts, x.time(x.view.Start))
		r.connected(c, d, h, x)
	}
	return true
}

func (h *relayHost) leg(id uint64) *relayLeg {
	for _, x := range h.legs {
		if x.view.ID == id {
			return x
		}
	}
	return nil
}

// peer returns the other end of a leg.
func (x *relayLeg) peer() *session.Endpoint {
	if x.dir == session.In {
		return &x.view.Initiator
	}
	return &x.view.Responder
}

func (x *relayLeg) time(at int64) relayTime {
	return relayTime{at, x.peer().Addr, x.dir == session.Out, x.view.ID}
}

// mark notes that payload of a peer began to arrive, or that it opened a session. Marks of one peer that follow at once are one.
func (h *relayHost) mark(x *relayLeg, at int64) (added bool) {
	m := x.time(at)
	for i := len(h.marks) - 1; i >= 0 && h.marks[i].at > at-session.BinTime; i-- {
		if h.marks[i].peer == m.peer && h.marks[i].at <= at {
			return false
		}
	}
	h.marks = insertRelayTime(h.marks, m)
	return true
}

// insertRelayTime inserts t in the order of time, and drops old entries.
func insertRelayTime(list []relayTime, t relayTime) []relayTime {
	i := len(list)
	for i > 0 && list[i-1].at > t.at {
		i--
	}
	list = slices.Insert(list, i, t)
	from := max(0, len(list)-maxRelayTimes)
	for list[from].at < list[len(list)-1].at-relayMemory {
		from++
	}
	return slices.Delete(list, 0, from)
}

// activity adds the bins of a leg, and compares it with the others.
func (r *relay) activity(e *Event, c *Context, d *device.Device, h *relayHost, x *relayLeg) {
	idle := (int64(r.p.IdleMS)*1e6 + session.BinTime - 1) / session.BinTime
	if len(e.Activity) == 0 {
		return
	}
	if x.from == 0 {
		x.from = e.Activity[0].Time
	}
	marked := false
	for i := range e.Activity {
		b := &e.Activity[i]
		n := b.Time / session.BinTime
		if k := len(x.bins); k == 0 || n > x.bins[k-1].n+idle {
			y := relayBurst{b.Time, b.Dir != x.dir}
			if x.bursts = append(x.bursts, y); len(x.bursts) > maxRelayTimes {
				x.bursts = slices.Delete(x.bursts, 0, len(x.bursts)-maxRelayTimes)
			}
			if y.in {
				marked = h.mark(x, b.Time) || marked
			}
		}
		x.bins = append(x.bins, relayBin{n, b.Bytes[1-x.dir], b.Bytes[x.dir]})
	}
	if over := len(x.bins) - maxRelayBins; over > 0 {
		x.bins = slices.Delete(x.bins, 0, over)
		x.from = x.bins[0].n * session.BinTime
	}
	x.to = max(x.to, e.Time)
	if marked && (x.dir == session.In || x.external) {
		r.connects(c, d, h, x.peer().Addr)
	}
	for _, y := range h.legs {
		if near, far, ok := nearFar(x, y); ok && !exempt(d, near, far) {
			r.compare(c, d, near, far)
		}
	}
}

// nearFar returns the near and the far session of a pair; ok is false if the pair cannot be a relay. Of two sessions that the device has
// opened, the near one leads outside; if both do, it is the older one.
func nearFar(x, y *relayLeg) (near, far *relayLeg, ok bool) {
	switch {
	case x.peer().Addr == y.peer().Addr, x.dir == session.In && y.dir == session.In:
		return nil, nil, false
	case x.dir == session.In:
		return x, y, true
	case y.dir == session.In:
		return y, x, true
	case x.external && (!y.external || x.view.Start < y.view.Start):
		return x, y, true
	}
	return y, x, y.external
}

// exempt reports whether forwarding between two peers is what a device is for: a recorder serves its viewers inside.
func exempt(d *device.Device, near, far *relayLeg) bool {
	return isRecorder(d) && !near.external && !far.external
}
