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
	"stillwatch/sensor/internal/policy"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/watchtime"
)

// correlator is the event loop behind the shards. It handles the events of all shards in the order of the run: it maintains the devices, runs
// the detectors, and writes the records. It is one goroutine.
type correlator struct {
	out       Output
	cfg       Config              // active
	sensor    schemas.AlertSensor // as in the alerts
	reg       *device.Registry
	clock     *watchtime.Clock
	traffic   uint64 // lossCounts.traffic at the last tick
	contracts *contract.Registry
	policies  *policy.Set
	detectors []detect.Detector
	watch     *detect.Watch // over the detectors
	alerts    *alert.Manager
	ctx       detect.Context
	quality   qualityWindow
	full      fullCapture
	keeper    packetKeeper
	sums      qualityCounts // quality sums at the last tick with packets
	saved     *savedState   // nil: nothing is kept over a restart
	scan      deviceScan    // live runs only
	media     *announcements

	second  int64           // of the last tick
	record  schemas.Session // of the session that ended last
	merged  []*ordered      // events of a block
	tail    []*ordered      // scratch of merge
	counts  runCounts
	failed  error // of an output; nothing is written after that
	stopped func()
}

// run handles blocks until the last one, and returns each to free.
func (c *correlator) run(in <-chan *block, free chan<- *block, requests <-chan func(), rec *recovery) {
	for last := false; !last; {
		b := <-in
		last = b.last
		for _, x := range append(b.group, b) {
			rec.do("correlator", func() {
				c.block(x)
				c.counts.add(x)
				if !c.cfg.Replay || c.cfg.Follow {
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

// block handles the events of a block, interleaved with its ticks.
func (c *correlator) block(b *block) {
	c.saved.begin(c, b.ticks)
	c.keeper.begin(b)
	c.merge(b.shards)
	done := 0 // number of ticks handled
	for i := range prefetchFirst {
		c.prefetch(i - prefetchFirst)
	}
	vlans := b.vlans
	for i, e := range c.merged {
		c.prefetch(i)
		for done < len(b.ticks) && 2*b.ticks[done].num < e.num {
			vlans = c.vlansUntil(vlans, b.ticks[done].num)
			c.keeper.until(b.ticks[done].num)
			c.tickOf(b, done)
			done++
		}
		vlans = c.vlansUntil(vlans, (e.num-1)/2+1)
		c.keeper.until(e.num / 2)
		if e.due > 0 {
			c.tickTo(e.due)
		}
		c.keeper.num = e.num / 2 * (e.num & 1)
		c.event(&e.Event)
	}
	c.keeper.num = 0
	for ; done < len(b.ticks); done++ {
		vlans = c.vlansUntil(vlans, b.ticks[done].num)
		c.keeper.until(b.ticks[done].num)
		c.tickOf(b, done)
	}
	c.vlansUntil(vlans, 1<<64-1)
	c.keeper.until(1<<64 - 1)
	clear(c.merged)
	clear(c.tail)
	if b.last {
		var q qualityCounts
		for i := range b.shards {
			q.addStats(&b.shards[i].stats)
		}
		q.lost, q.offered = b.loss.lost, b.loss.offered
		c.clock.SetQuality(good(&c.ctx.Quality), q.losses())
		c.quality.set(c.second, q, &c.ctx.Quality) // includes the sessions that ended with the run
		c.finish(b.clock)
	}
}

// merge puts the events of all shards in the order of the run. A shard sends its events in that order, but for those of a tick, which come
// partition by partition.
func (c *correlator) merge(shards []shardPart) {
	c.merged = c.merged[:0]
	for i := range shards {
		events := shards[i].events
		n := len(c.merged)
		for k := range events {
			c.merged = append(c.merged, &events[k])
		}
		if mine := c.merged[n:]; !slices.IsSortedFunc(mine, compareOrder) {
			slices.SortFunc(mine, compareOrder)
		}
		c.mergeTail(n)
	}
}

// mergeTail merges the sorted events from n on with the sorted ones before them, the latest first.
func (c *correlator) mergeTail(n int) {
	all := c.merged
	if n == 0 || n == len(all) || compareOrder(all[n-1], all[n]) < 0 {
		return
	}
	c.tail = append(c.tail[:0], all[n:]...)
	i, k := n-1, len(c.tail)-1
	for at := len(all) - 1; k >= 0; at-- {
		if i >= 0 && compareOrder(all[i], c.tail[k]) > 0 {
			all[at] = all[i]
			i--
		} else {
			all[at] = c.tail[k]
			k--
		}
	}
}

// vlansUntil reports the VLANs that had a frame before packet num to the watch clock, and returns the rest.
func (c *correlator) vlansUntil(seen []vlanSeen, num uint64) []vlanSeen {
	for len(seen) > 0 && seen[0].num < num {
		c.clock.VLAN(seen[0].vlan, seen[0].sec)
		seen = seen[1:]
	}
	return seen
}

// tickOf handles tick i of a block. The quality is computed at ticks and not at the end of blocks, because where blocks end depends on how
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
	c.clock.SetQuality(good(&c.ctx.Quality), c.sums.losses())
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

// idleTo advances the clock to a second without packets. It ticks at the last whole minute before it and whenever a detector waits, as a
// replay does when the next packet comes. It does not tick at a minute that starts in this second: packets may still come in it.
func (c *correlator) idleTo(sec int64) {
	if c.second == 0 {
		return
	}
	c.minutes(sec)
	if m := (sec - 1) / 60 * 60; m > c.second {
		c.minute(m)
	}
}

// tickTo advances the clock. Seconds without packets tick at each whole minute, as they do in a live run.
func (c *correlator) tickTo(sec int64) {
	if sec <= c.second {
		return
	}
	if c.second > 0 {
		c.minutes(sec)
	}
	c.tick(sec)
}

// maxIdleTicks bounds the ticks for a time in which nothing was captured: one a minute for a day.
const maxIdleTicks = 1440

// minutes ticks in the seconds without packets before sec: at whole minutes, and when a detector waits.
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

// due returns the second in which the first detector stops waiting, 0 if none waits.
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

// expectsLittle reports whether a device is not expected to open any session it likes, so that it is of interest how long it was silent.
func (c *correlator) expectsLittle(d *device.Device) bool {
	e, _ := c.contracts.Expect(d, c.ctx.Now)
	return e != contract.Normal
}

// minute ticks in a second without packets: the quality window advances, and nothing is added to it.
func (c *correlator) minute(sec int64) {
	c.quality.set(sec, c.sums, &c.ctx.Quality)
	c.tick(sec)
}

func (c *correlator) tick(sec int64) {
	c.second = sec
	now := sec * 1e9
	c.ctx.Now = max(c.ctx.Now, now)
	c.reg.Tick(now)
	c.reg.NextHour(now, c.expectsLittle)
	c.contracts.Learner().Tick(now)
	c.applyPolicies()
	for _, d := range c.detectors {
		d.Tick(now, &c.ctx)
	}
	c.evidence(now, false)
	c.alerts.Tick(now, &c.ctx)
	c.full.tick(now)
	c.saved.save(c)
	if !c.cfg.Replay {
		c.scanDevices(sec)
	}
}

var steps = [...]device.Step{
	detect.SessionOpened: device.Opened, detect.SessionState: device.StateChanged, detect.SessionFact: device.FactRead,
	detect.SessionProgress: device.Progress, detect.SessionActivity: device.Progress, detect.SessionEnded: device.Ended,
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
			for i := range e.Activity {
				e.Activity[i].Turn()
			}
		}
		c.media.event(e)
		e.Initiator, e.Responder = c.reg.Session(steps[e.Kind], e.Session, e.App, c.ctx.Now)
		e.Opening = c.reg.Opening(e.Session)
		if e.Stack != nil && !e.Session.Turned {
			c.reg.Stack(e.Session, e.Stack, e.Initiator, e.Responder, c.ctx.Now)
		}
		if e.Fact != nil {
			c.reg.Fact(e.Session, e.Fact, e.FactDir, e.Initiator, e.Responder, c.ctx.Now)
			c.learnNames(e)
		}
	}
	c.move()
	c.followEvent(e)
	c.ctx.Begin()
	c.watch.Observe(e, &c.ctx)
	c.ctx.Learn(e)
	if c.out.Event != nil {
		c.out.Event(e, &c.ctx)
	}
	if e.Kind == detect.SessionEnded && c.cfg.Records.Session(e.Session, e.Initiator, e.Responder) {
		c.counts.sessions++
		c.counts.networks.add(e.Session, c.reg)
		if c.out.Session != nil && c.failed == nil {
			alert.CapturedSession(&c.record, e.Session, e.App)
			c.check(c.out.Session(&c.record))
		}
	}
}

// move moves alerts to the new keys of their devices.
func (c *correlator) move() {
	for _, m := range c.reg.Moves() {
		broken := c.alerts.Move(m, &c.ctx)
		if l := c.contracts.Learner(); l != nil && !m.Addr.IsValid() {
			l.Move(m.From, m.To)
		}
		c.counts.move(m, broken)
	}
}

// learnNames records the names under which a client looked up addresses. Only answers from the server of the session count. Questions are
// needed only to excuse sessions that the inventory allows by name.
func (c *correlator) learnNames(e *detect.Event) {
	m, ok := e.Fact.(*dissect.DNSMessage)
	if !ok || m.MDNS || m.LLMNR || m.Response != (e.FactDir == session.In) {
		return
	}
	client := e.Session.Initiator.Addr.Netip()
	if c.contracts.HasInventory() {
		if !m.Response {
			c.ctx.Names.Ask(client, m.QName, c.ctx.Now)
			return
		}
		c.ctx.Names.Answered(client)
	}
	for i := range m.Answers {
		if a := &m.Answers[i]; a.Addr.IsValid() {
			c.ctx.Names.Learn(client, a.Addr, m.QName, a.TTL, c.ctx.Now)
		}
	}
}

func (c *correlator) emit(f *detect.Finding) {
	c.counts.finding(f)
	c.full.begin(f, c.ctx.Now)
	c.keeper.finding = f
	c.ctx.Doubt(f)
	c.alerts.Add(f, &c.ctx)
	c.keeper.finding = nil
}

func (c *correlator) suspect(near, far *session.View) { c.full.suspect(near, far, c.ctx.Now) }

// write saves a revision of an alert in the journal and writes it.
func (c *correlator) write(a *schemas.Alert) {
	c.saved.decided(c, a)
	selected := c.cfg.Records.Alert(a)
	if a.Action == "create" {
		c.reg.Alerted(c.reg.ByKey(a.Device.Key))
		if selected {
			c.collect(a)
		}
	}
	if selected {
		c.put(a)
	}
}

// put writes a revision of an alert.
func (c *correlator) put(a *schemas.Alert) {
	c.counts.alert(a)
	if c.out.Alert != nil && c.failed == nil {
		c.check(c.out.Alert(a))
	}
}

// writeIncident saves a revision of an incident in the journal and writes it.
func (c *correlator) writeIncident(i *schemas.Incident) {
	c.saved.decidedIncident(c, i)
	c.putIncident(i)
}

func (c *correlator) putIncident(i *schemas.Incident) {
	if c.cfg.Records.Incident(i) && c.out.Incident != nil && c.failed == nil {
		c.check(c.out.Incident(i))
	}
}

// flush writes what the outputs have buffered.
func (c *correlator) flush() {
	if c.out.Flush != nil && c.failed == nil {
		c.check(c.out.Flush())
	}
}

// check stops the run if an output failed.
func (c *correlator) check(err error) {
	if err == nil || c.failed != nil {
		return
	}
	c.failed = fmt.Errorf("write records: %w", err)
	c.stopped()
}

// finish closes all alerts at the end of a run and writes the devices.
func (c *correlator) finish(clock int64) {
	c.ctx.Now = max(c.ctx.Now, clock)
	for _, d := range c.detectors {
		d.Tick(c.ctx.Now, &c.ctx)
		if f, ok := d.(detect.Finisher); ok {
			f.Finish(c.ctx.Now, &c.ctx)
		}
	}
	c.evidence(c.ctx.Now, true)
	c.alerts.Close(c.ctx.Now, &c.ctx)
	for _, d := range c.reg.All() {
		if !c.cfg.Records.DeviceRecord(d) {
			continue
		}
		expect, _ := c.contracts.Expect(d, c.ctx.Now)
		c.counts.device(d, expect)
		if c.out.Device != nil && c.failed == nil {
			r := c.deviceRecord(d)
			c.check(c.out.Device(&r))
		}
	}
	c.saved.end(c)
}
