// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"math"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// relaySign is one sign of a relay.
type relaySign uint8

const (
	relayConnects relaySign = iota // far sessions begin when the near one has received something
	relayBursts                    // the bursts of two sessions begin together
	relayCurves                    // one session carries what the other has received
	relayCloses                    // near and far sessions close together
	numRelaySigns
)

// relayLink is what was found about a device and the peer of its near sessions.
type relayLink struct {
	found           [numRelaySigns]relayFound
	near            *relayLeg
	targets         []*relayLeg // the far sessions, one for each peer and port
	reported        int         // signs that were reported
	reportedTargets int         // targets that were reported
}

// relayFound is a sign that was found.
type relayFound struct {
	n, of    int     // pairs, and all that might be pairs
	within   int64   // nanoseconds
	r, ratio float64 // of curves
	bytes    uint64
	external bool // near and far peer are external
	alone    bool // of closing: it is more than support for another sign
}

// chance returns the evidence against chance that k of n events fall into times that cover a share p of all time, in nats.
func chance(k, n int, p float64) float64 {
	q := float64(k) / float64(n)
	p = min(max(p, 1e-9), 1-1e-9)
	if q <= p {
		return 0
	}
	nats := q * math.Log(q/p)
	if q < 1 {
		nats += (1 - q) * math.Log((1-q)/(1-p))
	}
	return float64(n) * nats
}

// relayWithin are the delays that are tried, in nanoseconds, up to the parameter: a short one is stronger evidence.
var relayWithin = [...]int64{50e6, 100e6, 200e6, 500e6, 1000e6, 2000e6, 5000e6}

// follows counts the events that come at most within after a cause, each cause once. Events within apart of the one before are one.
func follows(causes, events []relayTime, within, apart int64) (k, n int, pairs []relayPair) {
	last, i := int64(math.MinInt64), 0
	for _, e := range events {
		if last != math.MinInt64 && e.at-last < apart {
			continue
		}
		last = e.at
		n++
		for i < len(causes) && causes[i].at < e.at-within {
			i++
		}
		if i < len(causes) && causes[i].at <= e.at {
			k++
			pairs = append(pairs, relayPair{causes[i].id, e.id})
			i++
		}
	}
	return k, n, pairs
}

// relayPair is the sessions of a cause and its event.
type relayPair struct{ cause, event uint64 }

// splitTimes returns the times of a peer since a time; with far, those of the sessions that the device opened to others.
func splitTimes(times []relayTime, peer packet.Addr, far bool, since int64) (out []relayTime) {
	for _, t := range times {
		if (t.peer == peer) != far && t.at >= since && (!far || t.far) {
			out = append(out, t)
		}
	}
	return out
}

// connected looks for the peers whose payload may have caused a new far session.
func (r *relay) connected(c *Context, d *device.Device, h *relayHost, x *relayLeg) {
	var seen []packet.Addr
	for i := len(h.marks) - 1; i >= 0 && h.marks[i].at >= x.view.Start-int64(r.p.ConnectMS)*1e6; i-- {
		if p := h.marks[i].peer; p != x.peer().Addr && !slices.Contains(seen, p) {
			seen = append(seen, p)
			r.connects(c, d, h, p)
		}
	}
}

// connects decides whether the far sessions of a device begin when a peer has sent something.
func (r *relay) connects(c *Context, d *device.Device, h *relayHost, peer packet.Addr) {
	near := h.latest(peer)
	if near == nil {
		return
	}
	for _, since := range [...]int64{0, c.Now - relayRecent} {
		if f, far := r.connectsSince(h, peer, since); len(far) > 0 {
			r.found(c, d, near, h.legs, far, relayConnects, f)
			return
		}
	}
}

// relayRecent is the time that is looked at besides all that is kept: a scan before would hide a relay.
const relayRecent = 10 * minute

// connectsSince returns what was found since a time, and the far sessions.
func (r *relay) connectsSince(h *relayHost, peer packet.Addr, since int64) (f relayFound, far []uint64) {
	causes := splitTimes(h.marks, peer, false, since)
	if len(causes) < r.p.ConnectPairs {
		return f, nil
	}
	starts := splitTimes(h.starts, peer, true, causes[0].at)
	if len(starts) < r.p.ConnectPairs {
		return f, nil
	}
	limit := int64(r.p.ConnectMS) * 1e6
	for _, within := range relayWithin {
		if within > limit {
			break
		}
		k, n, pairs := follows(causes, starts, within, 500e6)
		span := max(starts[len(starts)-1].at, causes[len(causes)-1].at) - causes[0].at + within
		if k < r.p.ConnectPairs || chance(k, n, float64(int64(len(causes))*within)/float64(span)) < r.p.Nats {
			continue
		}
		for _, p := range pairs {
			far = append(far, p.event)
		}
		return relayFound{n: k, of: n, within: within}, far
	}
	return f, nil
}

// latest returns the newest near session of a peer.
func (h *relayHost) latest(peer packet.Addr) *relayLeg {
	for i := len(h.legs) - 1; i >= 0; i-- {
		if x := h.legs[i]; x.peer().Addr == peer && (x.dir == session.In || x.external) {
			return x
		}
	}
	return nil
}

// closeNats is the evidence against chance that closing together must have, if something else speaks for a relay.
const closeNats = 3

// ended decides whether the near and far sessions of a device close together.
func (r *relay) ended(c *Context, d *device.Device, h *relayHost, x *relayLeg) {
	within := int64(r.p.CloseMS) * 1e6
	var seen []packet.Addr
	for i := len(h.closes) - 1; i >= 0 && h.closes[i].at >= h.closes[len(h.closes)-1].at-within; i-- {
		if p := h.closes[i].peer; !slices.Contains(seen, p) {
			seen = append(seen, p)
			r.closesWith(c, d, h, p, within)
		}
	}
}

func (r *relay) closesWith(c *Context, d *device.Device, h *relayHost, peer packet.Addr, within int64) {
	near := h.latest(peer)
	marks := splitTimes(h.marks, peer, false, 0)
	if near == nil || len(marks) == 0 {
		return
	}
	ends := splitTimes(h.closes, peer, true, marks[0].at)
	starts := splitTimes(h.starts, peer, true, marks[0].at)
	if len(ends) == 0 || len(starts) == 0 {
		return
	}
	causes := splitTimes(h.closes, peer, false, starts[0].at) // a session that closed before had nothing to take along
	if len(causes) == 0 {
		return
	}
	span := float64(max(ends[len(ends)-1].at, causes[len(causes)-1].at) - marks[0].at)
	k, n, pairs := follows(earlier(causes, within), ends, 2*within, within)
	nats := chance(k, max(n, 1), float64(2*within*int64(len(causes)))/span)
	if nats < closeNats {
		// One near session may have carried many far ones. Then only those close with it that are left.
		k, n, pairs = follows(earlier(ends, within), causes, 2*within, within)
		if nats = chance(k, max(n, 1), float64(2*within*int64(len(ends)))/span); nats < closeNats {
			return
		}
		for i := range pairs {
			pairs[i].event = pairs[i].cause
		}
	}
	var far []uint64
	for _, p := range pairs {
		far = append(far, p.event)
	}
	r.found(c, d, near, h.legs, far, relayCloses, relayFound{n: k, of: n, within: within, alone: k >= r.p.ConnectPairs && nats >= r.p.Nats})
}

// earlier returns times moved back, so that what happens within the same time before or after counts.
func earlier(times []relayTime, by int64) []relayTime {
	times = slices.Clone(times)
	for i := range times {
		times[i].at -= by
	}
	return times
}

// compare compares the bursts and the byte curves of two sessions over the time in which both were followed.
func (r *relay) compare(c *Context, d *device.Device, near, far *relayLeg) {
	if near.from == 0 || far.from == 0 || near.dir == session.Out && !restricted(d, c) {
		return
	}
	from, to := max(near.from, far.from), min(near.covered(c.Now), far.covered(c.Now))
	if to-from < 5*second {
		return
	}
	if c.Suspect != nil {
		c.Suspect(&near.view, &far.view)
	}
	legs := []*relayLeg{far}
	ids := []uint64{far.view.ID}
	if f, ok := r.burstsMatch(near, far, from, to); ok {
		r.found(c, d, near, legs, ids, relayBursts, f)
	}
	if f, ok := r.curvesMatch(near, far, from, to); ok {
		r.found(c, d, near, legs, ids, relayCurves, f)
	}
}

// covered returns the time until which all payload of a leg was reported. That takes a few seconds if there is any.
func (x *relayLeg) covered(now int64) int64 {
	if x.closed {
		return x.view.End
	}
	return max(x.to, now-10*second)
}

// burstsMatch decides whether bursts of two sessions begin together, each forwarded in its direction (Zhang and Paxson, Detecting Stepping
// Stones, 2000).
func (r *relay) burstsMatch(near, far *relayLeg, from, to int64) (f relayFound, ok bool) {
	a, b := burstsWithin(near, from, to), burstsWithin(far, from, to)
	fewer := min(len(a), len(b))
	if fewer < r.p.BurstPairs {
		return f, false
	}
	for _, within := range [...]int64{int64(r.p.DeltaMS) * 1e6, int64(r.p.DelayMS) * 1e6} {
		k, run := together(a, b, within)
		share := float64(k) / float64(fewer)
		p := float64(int64(max(len(a), len(b)))*within) / float64(to-from)
		if run >= r.p.BurstPairs && share >= r.p.BurstShare && chance(k, fewer, p) >= r.p.Nats {
			return relayFound{n: k, of: fewer, within: within}, true
		}
	}
	return f, false
}

func burstsWithin(x *relayLeg, from, to int64) []relayBurst {
	i := 0
	for i < len(x.bursts) && x.bursts[i].at < from-session.BinTime {
		i++
	}
	j := len(x.bursts)
	for j > i && x.bursts[j-1].at > to {
		j--
	}
	return x.bursts[i:j]
}

// together counts the bursts of one session that a burst of the other follows, in the direction of forwarding, and the longest run of them.
func together(near, far []relayBurst, within int64) (k, longest int) {
	run, from := 0, 0
	for _, a := range near {
		for from < len(far) && far[from].at < a.at-within {
			from++
		}
		hit := false
		for i := from; i < len(far) && far[i].at <= a.at+within; i++ {
			b := far[i]
			if hit = a.in && !b.in && b.at >= a.at || b.in && !a.in && a.at >= b.at; hit {
				from = i + 1
				break
			}
		}
		if !hit {
			run = 0
			continue
		}
		k++
		run++
		longest = max(longest, run)
	}
	return k, longest
}

// The byte curves are compared in steps of so many bins: long steps for relays that delay what they forward.
var curveSteps = [...]int{1, 4, 8}

const (
	maxCurveBins = 480 // 120 s
	minActive    = 8   // steps of both curves that must carry something
	curveShare   = 0.2 // of the bytes, in the direction that is compared
	minFisher    = 6   // standard deviations by which the correlation differs from 0 (Fisher's transformation)
)

// curvesMatch decides whether one session carries what the other received, in one of the directions.
func (r *relay) curvesMatch(near, far *relayLeg, from, to int64) (f relayFound, ok bool) {
	first, last := from/session.BinTime, to/session.BinTime
	first = max(first, last-maxCurveBins)
	n := int(last - first)
	if n < r.p.Seconds*int(second/session.BinTime) {
		return f, false
	}
	var room [4][maxCurveBins]float64
	nearIn, nearOut, farIn, farOut := room[0][:n], room[1][:n], room[2][:n], room[3][:n]
	received := near.curve(first, nearIn, nearOut)
	answered := far.curve(first, farIn, farOut)
	if received+answered < uint64(r.p.Bytes) {
		return f, false
	}
	if f, ok = r.curveMatch(nearIn, farOut, received); !ok {
		f, ok = r.curveMatch(farIn, nearOut, answered)
	}
	f.bytes = received + answered
	return f, ok
}

// curve fills in the bytes of a leg from bin first on, and returns how many it has received.
func (x *relayLeg) curve(first int64, in, out []float64) (received uint64) {
	for i := len(x.bins) - 1; i >= 0 && x.bins[i].n >= first; i-- {
		if b := &x.bins[i]; b.n-first < int64(len(in)) {
			in[b.n-first], out[b.n-first] = float64(b.in), float64(b.out)
			received += uint64(b.in)
		}
	}
	return received
}

// curveMatch compares what came in with what went out, up to the lag later. The ratio is that of the parts that move together, so that other
// traffic of one session does not change it.
func (r *relay) curveMatch(in, out []float64, received uint64) (f relayFound, ok bool) {
	lags := int(int64(r.p.LagMS) * 1e6 / session.BinTime)
	sent := 0.0
	for _, b := range out {
		sent += b
	}
	total := sent / float64(received)
	if float64(received) < curveShare*float64(r.p.Bytes) || total < r.p.MinRatio/2 || total > r.p.MaxRatio*2 {
		return f, false
	}
	for _, step := range curveSteps {
		for lag := 0; lag <= lags && lag < len(in); lag++ {
			x := correlate(in[:len(in)-lag], out[lag:], step)
			if x.r <= f.r || x.active < minActive {
				continue
			}
			f.r, f.within = x.r, int64(lag)*session.BinTime
			f.ratio = closestTo1(total, x.up, x.down)
		}
		sure := math.Atanh(min(f.r, 0.9999)) * math.Sqrt(float64(len(in)/step-3))
		if f.r >= r.p.Correlation && sure >= minFisher && f.ratio >= r.p.MinRatio && f.ratio <= r.p.MaxRatio {
			return f, true
		}
		f = relayFound{}
	}
	return f, false
}

// closestTo1 returns the ratio that differs least from 1.
func closestTo1(ratios ...float64) float64 {
	best := 0.0
	for _, x := range ratios {
		if x > 0 && (best == 0 || math.Abs(math.Log(x)) < math.Abs(math.Log(best))) {
			best = x
		}
	}
	return best
}

// curvePair is the result of correlate.
type curvePair struct {
	r        float64
	up, down float64 // slope if y, or if x, has other traffic as well
	active   int     // steps in which both carry something
}

// correlate compares two curves in steps. The correlation is the smaller one of the bytes and of their square roots, so that a single great
// step does not decide it.
func correlate(x, y []float64, step int) (c curvePair) {
	var plain, root moments
	for i := 0; i+step <= len(x); i += step {
		a, b := 0.0, 0.0
		for k := range step {
			a, b = a+x[i+k], b+y[i+k]
		}
		if a > 0 && b > 0 {
			c.active++
		}
		plain.add(a, b)
		root.add(math.Sqrt(a), math.Sqrt(b))
	}
	c.r, c.up, c.down = plain.result()
	s, _, _ := root.result()
	c.r = min(c.r, s)
	return c
}

// moments are the sums for a correlation.
type moments struct{ n, x, y, xx, yy, xy float64 }

func (m *moments) add(x, y float64) {
	m.n++
	m.x, m.y, m.xx, m.yy, m.xy = m.x+x, m.y+y, m.xx+x*x, m.yy+y*y, m.xy+x*y
}

func (m *moments) result() (r, up, down float64) {
	vx, vy := m.xx-m.x*m.x/m.n, m.yy-m.y*m.y/m.n
	if m.n == 0 || vx <= 0 || vy <= 0 {
		return 0, 0, 0
	}
	cov := m.xy - m.x*m.y/m.n
	if cov <= 0 {
		return 0, 0, 0
	}
	return cov / math.Sqrt(vx*vy), cov / vx, vy / cov
}
