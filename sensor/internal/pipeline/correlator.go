// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"slices"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/alert"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/watchtime"
)

// judge takes the events of all shards in the order of the run: it knows the devices, asks the detectors, and says what is to be
// written. It is one goroutine.
type correlator struct {
	out       Output
	cfg       Config // in force
	reg       *device.Registry
	clock     *watchtime.Clock
	traffic   uint64 // of the port, when it was looked at last
	contracts *contract.Registry
	detectors []detect.Detector
	watch     *detect.Watch // of the detectors
	alerts    *alert.Manager
	ctx       detect.Context
	quality   qualityWindow
	full      fullCapture
	sums      qualityCounts // at the last tick with packets
	saved     *savedState   // nil: nothing is kept over a restart
	scan      deviceScan    // of a live run

	second  int64 // last one ticked
	merged  []*ordered
	counts  runCounts
	failed  error // of an output; nothing is written after it
	stopped func()
}

// run judges blocks until the last one and gives each back.
func (c *correlator) run(in <-chan *block, free chan<- *block, requests <-chan func(), rec *recovery) {
	for last := false; !last; {
		b := <-in
		last = b.last
		for _, x := range append(b.group, b) {
			rec.do("correlator", func() {
				c.block(x)
				c.counts.add(x)
				if !c.cfg.Replay {
					c.flush()
				}
			})
			free <- x
		}
		select {
		case f := <-requests:
			rec.do("correlator", f)
		default:
		}
	}
}

// block judges the events of a block, in between the ticks that belong there.
func (c *correlator) block(b *block) {
	c.saved.begin(c, b.ticks)
	c.merged = c.merged[:0]
	for i := range b.shards {
		for k := range b.shards[i].events {
			c.merged = append(c.merged, &b.shards[i].events[k])
		}
	}
	if !slices.IsSortedFunc(c.merged, compareOrder) {
		slices.SortFunc(c.merged, compareOrder)
	}
	done := 0 // ticks
	for i := range prefetchFirst {
		c.prefetch(i - prefetchFirst)
	}
	vlans := b.vlans
	for i, e := range c.merged {
		c.prefetch(i)
		for done < len(b.ticks) && 2*b.ticks[done].num < e.num {
			vlans = c.vlansUntil(vlans, b.ticks[done].num)
			c.tickOf(b, done)
			done++
		}
		vlans = c.vlansUntil(vlans, (e.num-1)/2+1)
		if e.due > 0 {
			c.tickTo(e.due)
		}
		c.event(&e.Event)
	}
	for ; done < len(b.ticks); done++ {
		vlans = c.vlansUntil(vlans, b.ticks[done].num)
		c.tickOf(b, done)
	}
	c.vlansUntil(vlans, 1<<64-1)
	clear(c.merged)
	if b.last {
		var q qualityCounts
		for i := range b.shards {
			q.addStats(&b.shards[i].stats)
		}
		q.lost, q.offered = b.loss.lost, b.loss.offered
		c.quality.set(c.second, q, &c.ctx.Quality) // with the sessions that ended with the run
		c.finish(b.clock)
	}
}

// vlansUntil tells the clock of the VLANs that had a frame before packet num, and gives the rest.
func (c *correlator) vlansUntil(seen []vlanSeen, num uint64) []vlanSeen {
	for len(seen) > 0 && seen[0].num < num {
		c.clock.VLAN(seen[0].vlan, seen[0].sec)
		seen = seen[1:]
	}
	return seen
}

// tickOf does tick i of a block. The quality is taken at ticks, and not at the end of blocks, because where blocks end depends on how
// the capture was cut into files.
func (c *correlator) tickOf(b *block, i int) {
	var q qualityCounts
	live := 0
	for s := range b.shards {
		q.add(&b.shards[s].ticks[i].quality)
		live += b.shards[s].ticks[i].live
	}
	if !c.cfg.Replay {
		c.updateVisibility(&b.loss, b.ticks[i].sec)
	}
	c.counts.live = live
	c.counts.maxLive = max(c.counts.maxLive, live)
	c.idleTo(b.ticks[i].sec)
	if b.ticks[i].idle {
		c.clock.Idle(b.ticks[i].sec)
		return
	}
	c.clock.Frames(b.ticks[i].sec)
	q.lost, q.offered = b.loss.lost, b.loss.offered
	c.sums = q
	c.quality.set(b.ticks[i].sec, q, &c.ctx.Quality)
	c.tickTo(b.ticks[i].sec)
}

// idleTo moves the clock on to a second without packets: to the last whole minute before it and what is due since, as in a replay when the
// next packet comes. A minute that begins now may still have packets in its first second, and then ticks with them.
func (c *correlator) idleTo(sec int64) {
	if c.second == 0 {
		return
	}
	c.minutes(sec)
	if m := (sec - 1) / 60 * 60; m > c.second {
		c.minute(m)
	}
}

// tickTo moves the clock of the judge on. Seconds without packets tick at each whole minute, as they do in a live run.
func (c *correlator) tickTo(sec int64) {
	if sec <= c.second {
		return
	}
	if c.second > 0 {
		c.minutes(sec)
	}
	c.tick(sec)
}

// maxIdleTicks bounds the ticks that are made up for a time in which nothing was captured: one a minute for a day.
const maxIdleTicks = 1440

// minutes ticks before sec, in seconds that had no packets: at whole minutes, and when a detector waits for it.
func (c *correlator) minutes(sec int64) {
	for range maxIdleTicks {
		next := (c.second/60 + 1) * 60
		if d := c.due(); d > c.second {
			next = min(next, d)
		}
		if next >= sec {
			return
		}
		c.minute(next)
	}
}

// due gives the first second that is not before the end of a wait of a detector, 0 if none waits.
func (c *correlator) due() (sec int64) {
	for _, d := range c.detectors {
		if w, ok := d.(detect.Deadliner); ok {
			if at := (w.Deadline() + 1e9 - 1) / 1e9; at > 0 && (sec == 0 || at < sec) {
				sec = at
			}
		}
	}
	return sec
}

// minute ticks at a whole minute without packets: the window of the quality moves on, and nothing is added to it.
func (c *correlator) minute(sec int64) {
	c.quality.set(sec, c.sums, &c.ctx.Quality)
	c.tick(sec)
}

func (c *correlator) tick(sec int64) {
	c.second = sec
	now := sec * 1e9
	c.ctx.Now = max(c.ctx.Now, now)
	c.reg.Tick(now)
	for _, d := range c.detectors {
		d.Tick(now, &c.ctx)
	}
	c.alerts.Tick(now, &c.ctx)
	c.full.tick(now)
	c.saved.save(c)
	if !c.cfg.Replay {
		c.scanDevices(sec)
	}
}

var steps = [...]device.Step{
	detect.SessionOpened: device.Opened, detect.SessionState: device.StateChanged, detect.SessionFact: device.FactRead,
	detect.SessionProgress: device.Progress, detect.SessionEnded: device.Ended,
}

func (c *correlator) event(e *detect.Event) {
	c.ctx.Now = max(c.ctx.Now, e.Time)
	if e.Kind == detect.LinkFact {
		c.reg.SetVLAN(e.VLAN)
		e.Initiator = c.reg.Link(e.Fact, c.ctx.Now)
	} else {
		e.Session.OneDirection = c.ctx.Quality.OneWayShare > oneDirectionShare
		if c.reg.Orient(e.Session); e.Session.Turned {
			e.FactDir ^= 1
		}
		e.Initiator, e.Responder = c.reg.Session(steps[e.Kind], e.Session, e.App, c.ctx.Now)
		e.Opening = c.reg.Opening(e.Session)
		if e.Fact != nil {
			c.reg.Fact(e.Session, e.Fact, e.FactDir, e.Initiator, e.Responder, c.ctx.Now)
			c.learnNames(e)
		}
	}
	c.move()
	c.ctx.Begin()
	c.watch.Observe(e, &c.ctx)
	if e.Kind == detect.SessionEnded {
		c.counts.sessions++
		c.counts.networks.add(e.Session, c.reg)
		if c.out.Session != nil && c.failed == nil {
			r := alert.SessionRecord(e.Session, e.App)
			c.check(c.out.Session(&r))
		}
	}
}

// move has alerts go on under the keys that devices have got.
func (c *correlator) move() {
	for _, m := range c.reg.Moves() {
		broken := c.alerts.Move(m, &c.ctx)
		c.counts.move(m, broken)
	}
}

// learnNames keeps under which name addresses were given to a client. An answer is believed only if the server of the session gave it.
func (c *correlator) learnNames(e *detect.Event) {
	m, ok := e.Fact.(*dissect.DNSMessage)
	if !ok || !m.Response || m.MDNS || m.LLMNR || e.FactDir != session.In {
		return
	}
	client := e.Session.Initiator.Addr.Netip()
	for i := range m.Answers {
		if a := &m.Answers[i]; a.Addr.IsValid() {
			c.ctx.Names.Learn(client, a.Addr, m.QName, a.TTL, c.ctx.Now)
		}
	}
}

func (c *correlator) emit(f *detect.Finding) {
	c.counts.finding(f)
	c.full.begin(f, c.ctx.Now)
	c.alerts.Add(f, &c.ctx)
}

// write takes a revision of an alert.
func (c *correlator) write(a *schemas.Alert) {
	c.saved.decided(c, a)
	c.put(a)
}

// put hands a revision of an alert on.
func (c *correlator) put(a *schemas.Alert) {
	c.counts.alert(a)
	if c.out.Alert != nil && c.failed == nil {
		c.check(c.out.Alert(a))
	}
}

// flush has written what is held back.
func (c *correlator) flush() {
	if c.out.Flush != nil && c.failed == nil {
		c.check(c.out.Flush())
	}
}

// check stops the run when an output can take no more.
func (c *correlator) check(err error) {
	if err == nil || c.failed != nil {
		return
	}
	c.failed = fmt.Errorf("write records: %w", err)
	c.stopped()
}

// finish does what is due at the end of a run.
func (c *correlator) finish(clock int64) {
	c.ctx.Now = max(c.ctx.Now, clock)
	for _, d := range c.detectors {
		d.Tick(c.ctx.Now, &c.ctx)
		if f, ok := d.(detect.Finisher); ok {
			f.Finish(c.ctx.Now, &c.ctx)
		}
	}
	c.alerts.Close(c.ctx.Now, &c.ctx)
	for _, d := range c.reg.All() {
		expect, _ := c.contracts.Expect(d, c.ctx.Now)
		c.counts.device(d, expect)
		if c.out.Device != nil && c.failed == nil {
			r := alert.DeviceRecord(d, c.contracts, c.ctx.Now, c.alerts.Standing(d.Key)...)
			c.check(c.out.Device(&r))
		}
	}
	c.saved.end(c)
}
