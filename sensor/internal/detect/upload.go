// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(uploadRule)

// uploadRule registers D18.
var uploadRule = register(registration{
	Rule: Rule{
		ID: "D18", Name: "Upload asymmetry", Kind: "upload", Version: 1, Reliability: 0.7,
		Attack: join(
			enterprise(taExfiltration, "T1041", "T1048", "T1567"),
			enterprise(taCollection, "T1125"),
			ics(icsImpact, "T0882"),
		),
	},
	titleOrder: 1,
	advice: map[string]steps{
		"": {
			"Find out whose address the peer is, and ask the owner whether this upload is expected.",
			"If not: {then contain}",
			"Find out what was sent, and look for an earlier login to the device.",
		},
	},
}, DefaultUploadParams, newUpload)

// UploadParams are the parameters of D18.
type UploadParams struct {
	Bytes          int64   `yaml:"bytes"`           // payload to one external peer within 24 hours
	RatioBytes     int64   `yaml:"ratio_bytes"`     // payload from which the ratio counts as well
	Ratio          float64 `yaml:"ratio"`           // out divided by in
	BaselineDays   int     `yaml:"baseline_days"`   // days after which the device's own maximum applies
	BaselineFactor float64 `yaml:"baseline_factor"` // multiple of the greatest daily upload to one peer so far
	MaxPeers       int     `yaml:"max_peers"`       // pairs of device and peer followed
	MaxSessions    int     `yaml:"max_sessions"`    // live sessions followed
}

// DefaultUploadParams returns the defaults of D18.
func DefaultUploadParams() UploadParams {
	return UploadParams{Bytes: 20_000_000, RatioBytes: 5_000_000, Ratio: 5, BaselineDays: 7, BaselineFactor: 3, MaxPeers: 50_000, MaxSessions: 200_000}
}

// maxBaselineDays bounds the daily maxima that are kept.
const maxBaselineDays = 28

// upload is D18: a device sends much data out of the network. Peers are keyed by name, so that the many addresses of one cloud service
// are one peer.
type upload struct {
	p        UploadParams
	sessions *table[uint64, carried] `snapshot:"-"` // as far as they were counted
	peers    *table[uploadPeer, volume]
	devices  *table[uint32, baseline]
}

// carried is payload in bytes.
type carried struct{ out, in uint64 }

// uploadPeer is a device and a peer of it: by its name, else by its address.
type uploadPeer struct {
	device uint32
	v6     bool // write the address as IPv6
	addr   packet.Addr
	name   string
}

// volume is what one peer was sent within the last day, hour by hour. Most peers are used in one hour only.
type volume struct {
	day      carried
	now      carried // of the newest hour
	hour     int64   // the newest, since the epoch
	past     []hourly
	reported uint64
	first    int64

	baselineDay int64 // when baseline was last brought up to date with it
}

type hourly struct {
	hour int64
	carried
}

// baseline is the greatest daily upload of a device to one peer, over the last days.
type baseline struct {
	day   int64
	today uint64
	past  []uint64
}

func newUpload(p UploadParams) *upload {
	return &upload{p, newTable[uint64, carried](p.MaxSessions), newTable[uploadPeer, volume](p.MaxPeers), newTable[uint32, baseline](p.MaxPeers)}
}

func (u *upload) Rule() Rule { return uploadRule.Rule }

func (u *upload) Kinds() []Kind { return []Kind{SessionState, SessionProgress, SessionEnded} }

func (u *upload) setParams(p UploadParams) {
	u.p = p
	u.sessions.limit(p.MaxSessions)
	u.peers.limit(p.MaxPeers)
	u.devices.limit(p.MaxPeers)
}

func (u *upload) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{
		u.peers.part("D18.peers/2", func(c *snapshot.Codec, k *uploadPeer) {
			deviceKey(c, &k.device)
			c.Bool(&k.v6)
			addrKey(c, &k.addr)
			c.String(&k.name)
		}, func(c *snapshot.Codec, v *volume) {
			v.day.walk(c)
			v.now.walk(c)
			c.Time(&v.hour)
			snapshot.List(c, &v.past, maxKept, func(h *hourly) {
				c.Time(&h.hour)
				h.carried.walk(c)
			})
			c.Uint(&v.reported)
			c.Time(&v.first)
			c.Time(&v.baselineDay)
		}),
		u.devices.part("D18.devices/1", deviceKey, func(c *snapshot.Codec, b *baseline) {
			c.Time(&b.day)
			c.Uint(&b.today)
			snapshot.List(c, &b.past, maxBaselineDays, func(n *uint64) { c.Uint(n) })
		}),
	}
}

func (x *carried) walk(c *snapshot.Codec) {
	c.Uint(&x.out)
	c.Uint(&x.in)
}

func (u *upload) evictions() uint64 {
	return u.sessions.evicted() + u.peers.evicted() + u.devices.evicted()
}

func (u *upload) Tick(now int64, c *Context) { u.peers.expire(now - 2*day) }

func (u *upload) Observe(e *Event, c *Context) {
	v := e.Session
	if v.PayloadBytes == [2]uint64{} || e.Kind == SessionState && !closed(v) {
		return
	}
	d, peer, dir := e.Initiator, &v.Responder, session.Out
	if d == nil {
		d, peer, dir = e.Responder, &v.Initiator, session.In
	}
	if d == nil || !unicast(v) || e.Initiator != nil && e.Responder != nil || !c.external(nil, addr(peer, v.V6)) {
		return
	}
	out, in := u.delta(e, c, dir)
	if out == 0 && in == 0 && (e.Kind != SessionEnded || closed(v)) {
		return // counted when it closed
	}
	u.count(e, c, d, dir, out, in)
}

func closed(v *session.View) bool { return v.State == session.Closed || v.State == session.Reset }

// delta returns what the session has carried since it was last counted, from the point of view of the device.
func (u *upload) delta(e *Event, c *Context, dir session.Dir) (out, in uint64) {
	v := e.Session
	now := carried{v.PayloadBytes[dir], v.PayloadBytes[1-dir]}
	if e.Kind == SessionEnded {
		s, _ := u.sessions.take(v.ID)
		return now.out - min(s.out, now.out), now.in - min(s.in, now.in)
	}
	s := u.sessions.put(v.ID, c.Now)
	out, in = now.out-min(s.out, now.out), now.in-min(s.in, now.in)
	*s = now
	return out, in
}

func (u *upload) count(e *Event, c *Context, d *device.Device, dir session.Dir, out, in uint64) {
	key := peerOf(e, c, d, dir)
	w := u.peers.put(key, c.Now)
	w.move(c.Now / hour)
	if w.first == 0 {
		w.first = e.Session.Start
	}
	w.add(out, in)
	limit, much := u.limit(c, d, w)
	skewed := w.day.out >= uint64(u.p.RatioBytes) && float64(w.day.out) >= u.p.Ratio*float64(w.day.in)
	final := (e.Kind == SessionEnded || closed(e.Session)) && w.reported > 0 && w.day.out > w.reported // the final numbers of what was reported
	if !much && !skewed || w.day.out < 2*w.reported && !final {
		return
	}
	v := c.verdictFor(e, dir)
	if v.Infrastructure || v.Entry != "" {
		return
	}
	f := u.finding(c.sessionFinding(u.Rule(), e, dir), c, d, v, w, limit, much)
	f.Key = key.String()
	f.Continues = final
	w.reported = w.day.out
	c.Emit(f)
}

// peerOf returns the peer under which the session is counted.
func peerOf(e *Event, c *Context, d *device.Device, dir session.Dir) uploadPeer {
	v := e.Session
	if dir == session.In {
		return uploadPeer{device: d.ID, addr: v.Initiator.Addr, v6: v.V6 || !v.Initiator.Addr.Is4()}
	}
	known := c.ResponderName(e)
	if known == "" {
		return uploadPeer{device: d.ID, addr: v.Responder.Addr, v6: v.V6 || !v.Responder.Addr.Is4()}
	}
	name := Clean(known, 253)
	if a, ok := addressOf(name); ok { // a client may send an address as the name: it is the same peer
		return uploadPeer{device: d.ID, addr: packet.AddrOf(a), v6: !a.Is4()}
	}
	return uploadPeer{device: d.ID, name: name}
}

// addressOf returns the address that a name spells in its canonical form. No top-level domain ends in a digit or contains a colon (RFC
// 3696 section 2), so most names are recognized without parsing.
func addressOf(name string) (a netip.Addr, ok bool) {
	if last := name[len(name)-1]; (last < '0' || last > '9') && strings.IndexByte(name, ':') < 0 {
		return a, false
	}
	a, err := netip.ParseAddr(name)
	return a, err == nil && a.Zone() == "" && a.String() == name
}

// String returns the peer as the key of a finding writes it.
func (p *uploadPeer) String() string {
	switch {
	case p.name != "":
		return p.name
	case p.v6:
		return netip.AddrFrom16(p.addr).String()
	}
	return p.addr.Netip().String()
}

// move advances to hour h and drops hours that are a day old.
func (w *volume) move(h int64) {
	if w.hour == 0 || h-w.hour >= 24 {
		*w = volume{hour: h}
		return
	}
	if h <= w.hour {
		return
	}
	if w.now != (carried{}) {
		w.past = append(w.past, hourly{w.hour, w.now})
	}
	w.hour, w.now = h, carried{}
	gone := 0
	for ; gone < len(w.past) && w.past[gone].hour <= h-24; gone++ {
		w.day.out -= w.past[gone].out
		w.day.in -= w.past[gone].in
	}
	w.past = slices.Delete(w.past, 0, gone)
}

// since returns the start of the period that the volume covers: the first session, or the first hour that is less than a day old.
func (w *volume) since() int64 {
	oldest := w.hour
	if len(w.past) > 0 {
		oldest = w.past[0].hour
	}
	return max(w.first, oldest*hour)
}

func (w *volume) add(out, in uint64) {
	w.now.out, w.now.in = w.now.out+out, w.now.in+in
	w.day.out, w.day.in = w.day.out+out, w.day.in+in
}

// limit returns how much the device may send to one peer in a day, and reports whether it has sent more: the greater of the parameter and,
// once enough days were seen, a multiple of the device's own greatest day. A volume so small that it cannot matter for the baseline is
// looked at once a day only.
func (u *upload) limit(c *Context, d *device.Device, w *volume) (limit uint64, much bool) {
	out, today := w.day.out, c.Now/day
	limit = uint64(max(u.p.Bytes, 0))
	if w.baselineDay == today && out <= limit && u.p.BaselineFactor*float64(out) <= float64(limit) {
		return limit, false
	}
	w.baselineDay = today
	b := u.devices.put(d.ID, c.Now)
	if b.day != today {
		if b.day != 0 {
			b.past = append(b.past, b.today)
			b.past = b.past[max(0, len(b.past)-maxBaselineDays):]
		}
		b.day, b.today = today, 0
	}
	b.today = max(b.today, out)
	if len(b.past) >= u.p.BaselineDays {
		for _, x := range b.past {
			limit = max(limit, uint64(u.p.BaselineFactor*float64(x)))
		}
	}
	return limit, out > limit
}

func (u *upload) finding(f *Finding, c *Context, d *device.Device, v contract.Verdict, w *volume, limit uint64, much bool) *Finding {
	out, in := w.day.out, w.day.in
	x, source := c.Contracts.Expect(d, c.Now)
	f.Stage, f.Start, f.Maintenance, f.Broken = StageOutbound, w.since(), v.Maintenance, Clean(v.Broken, 300)
	video := d.Level >= device.Probable && (d.Role == device.Camera || d.Role == device.NVR || d.Role == device.VMS)
	switch {
	case strict(x, source):
		f.Severity = High
	case video && much:
		f.Severity = Medium
	default:
		f.Severity = Low
	}
	who, to := f.self(), f.other()
	f.Brief = "sends " + size(out) + " to " + to.brief()
	f.Title = headline("%s sent %s to %s", who, name{size(out), size(out)}, to)
	rule := "sends at most " + size(limit) + " a day to one external peer"
	if !much {
		rule = fmt.Sprintf("sends less than %g times what it receives, once it has sent %s to one external peer within a day", u.p.Ratio, size(uint64(max(u.p.RatioBytes, 0))))
	}
	f.Message = fmt.Sprintf("Expected: %s %s. Seen: since %s it sent %s to %s and received %s.",
		who.full, rule, clock(f.Start), size(out), to.full, size(in))
	f.Reasons = []Reason{{Code: "upload", Text: size(out) + " to one external peer within a day", Weight: 0.5}}
	if float64(out) >= u.p.Ratio*float64(in) {
		f.Reasons = append(f.Reasons, Reason{Code: "ratio", Text: fmt.Sprintf("at least %g times as much out as in", u.p.Ratio), Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("it is a cloud recording or a backup that the owner has ordered"))
	f.Evidence = []Evidence{{Kind: "volume", Summary: size(out) + " out, " + size(in) + " in", Data: map[string]any{"bytes_out": out, "bytes_in": in}}}
	f.Recommendation = uploadRule.advise("", f.Device)
	return f
}
