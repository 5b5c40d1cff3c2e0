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
type judge struct {
	out       Output
	cfg       Config // in force
	reg       *device.Registry
	clock     *watchtime.Clock
	traffic   uint64 // of the port, when it was looked at last
	book      *contract.Registry
	detectors []detect.Detector
	watch     *detect.Watch // of the detectors
	alerts    *alert.Manager
	ctx       detect.Context
	quality   qualityWindow
	look      closeLook
	sums      qualityCounts // at the last tick with packets
	memory    *memory       // nil: nothing is kept over a restart
	census    census        // of a live run

	second  int64 // last one ticked
	merged  []*ordered
	tally   tally
	failed  error // of an output; nothing is written after it
	stopped func()
}

// run judges blocks until the last one and gives each back.
func (j *judge) run(in <-chan *block, free chan<- *block, asked <-chan func(), g *guard) {
	for last := false; !last; {
		b := <-in
		last = b.last
		for _, x := range append(b.group, b) {
			g.do("judge", func() {
				j.block(x)
				j.tally.add(x)
				if !j.cfg.Replay {
					j.flush()
				}
			})
			free <- x
		}
		select {
		case f := <-asked:
			g.do("judge", f)
		default:
		}
	}
}

// block judges the events of a block, in between the ticks that belong there.
func (j *judge) block(b *block) {
	j.memory.begin(j, b.ticks)
	j.merged = j.merged[:0]
	for i := range b.shards {
		for k := range b.shards[i].events {
			j.merged = append(j.merged, &b.shards[i].events[k])
		}
	}
	if !slices.IsSortedFunc(j.merged, compareOrder) {
		slices.SortFunc(j.merged, compareOrder)
	}
	done := 0 // ticks
	for i := range aheadFirst {
		j.ahead(i - aheadFirst)
	}
	vlans := b.vlans
	for i, e := range j.merged {
		j.ahead(i)
		for done < len(b.ticks) && 2*b.ticks[done].num < e.num {
			vlans = j.vlansUntil(vlans, b.ticks[done].num)
			j.tickOf(b, done)
			done++
		}
		vlans = j.vlansUntil(vlans, (e.num-1)/2+1)
		if e.due > 0 {
			j.tickTo(e.due)
		}
		j.event(&e.Event)
	}
	for ; done < len(b.ticks); done++ {
		vlans = j.vlansUntil(vlans, b.ticks[done].num)
		j.tickOf(b, done)
	}
	j.vlansUntil(vlans, 1<<64-1)
	clear(j.merged)
	if b.last {
		var q qualityCounts
		for i := range b.shards {
			q.addStats(&b.shards[i].stats)
		}
		q.lost, q.offered = b.loss.lost, b.loss.offered
		j.quality.set(j.second, q, &j.ctx.Quality) // with the sessions that ended with the run
		j.finish(b.clock)
	}
}

// vlansUntil tells the clock of the VLANs that had a frame before packet num, and gives the rest.
func (j *judge) vlansUntil(seen []vlanSeen, num uint64) []vlanSeen {
	for len(seen) > 0 && seen[0].num < num {
		j.clock.VLAN(seen[0].vlan, seen[0].sec)
		seen = seen[1:]
	}
	return seen
}

// tickOf does tick i of a block. The quality is taken at ticks, and not at the end of blocks, because where blocks end depends on how
// the capture was cut into files.
func (j *judge) tickOf(b *block, i int) {
	var q qualityCounts
	live := 0
	for s := range b.shards {
		q.add(&b.shards[s].ticks[i].quality)
		live += b.shards[s].ticks[i].live
	}
	if !j.cfg.Replay {
		j.sight(&b.loss, b.ticks[i].sec)
	}
	j.tally.live = live
	j.tally.maxLive = max(j.tally.maxLive, live)
	j.idleTo(b.ticks[i].sec)
	if b.ticks[i].idle {
		j.clock.Idle(b.ticks[i].sec)
		return
	}
	j.clock.Frames(b.ticks[i].sec)
	q.lost, q.offered = b.loss.lost, b.loss.offered
	j.sums = q
	j.quality.set(b.ticks[i].sec, q, &j.ctx.Quality)
	j.tickTo(b.ticks[i].sec)
}

// idleTo moves the clock on to a second without packets: to the last whole minute before it and what is due since, as in a replay when the
// next packet comes. A minute that begins now may still have packets in its first second, and then ticks with them.
func (j *judge) idleTo(sec int64) {
	if j.second == 0 {
		return
	}
	j.minutes(sec)
	if m := (sec - 1) / 60 * 60; m > j.second {
		j.minute(m)
	}
}

// tickTo moves the clock of the judge on. Seconds without packets tick at each whole minute, as they do in a live run.
func (j *judge) tickTo(sec int64) {
	if sec <= j.second {
		return
	}
	if j.second > 0 {
		j.minutes(sec)
	}
	j.tick(sec)
}

// maxIdleTicks bounds the ticks that are made up for a time in which nothing was captured: one a minute for a day.
const maxIdleTicks = 1440

// minutes ticks before sec, in seconds that had no packets: at whole minutes, and when a detector waits for it.
func (j *judge) minutes(sec int64) {
	for range maxIdleTicks {
		next := (j.second/60 + 1) * 60
		if d := j.due(); d > j.second {
			next = min(next, d)
		}
		if next >= sec {
			return
		}
		j.minute(next)
	}
}

// due gives the first second that is not before the end of a wait of a detector, 0 if none waits.
func (j *judge) due() (sec int64) {
	for _, d := range j.detectors {
		if w, ok := d.(detect.Waiter); ok {
			if at := (w.Due() + 1e9 - 1) / 1e9; at > 0 && (sec == 0 || at < sec) {
				sec = at
			}
		}
	}
	return sec
}

// minute ticks at a whole minute without packets: the window of the quality moves on, and nothing is added to it.
func (j *judge) minute(sec int64) {
	j.quality.set(sec, j.sums, &j.ctx.Quality)
	j.tick(sec)
}

func (j *judge) tick(sec int64) {
	j.second = sec
	now := sec * 1e9
	j.ctx.Now = max(j.ctx.Now, now)
	j.reg.Tick(now)
	for _, d := range j.detectors {
		d.Tick(now, &j.ctx)
	}
	j.alerts.Tick(now, &j.ctx)
	j.look.tick(now)
	j.memory.save(j)
	if !j.cfg.Replay {
		j.count(sec)
	}
}

var steps = [...]device.Step{
	detect.SessionOpened: device.Opened, detect.SessionState: device.StateChanged, detect.SessionFact: device.FactRead,
	detect.SessionProgress: device.Progress, detect.SessionEnded: device.Ended,
}

func (j *judge) event(e *detect.Event) {
	j.ctx.Now = max(j.ctx.Now, e.Time)
	if e.Kind == detect.LinkFact {
		j.reg.SetVLAN(e.VLAN)
		e.Initiator = j.reg.Link(e.Fact, j.ctx.Now)
	} else {
		e.Session.OneDirection = j.ctx.Quality.OneWayShare > oneDirectionShare
		if j.reg.Orient(e.Session); e.Session.Turned {
			e.FactDir ^= 1
		}
		e.Initiator, e.Responder = j.reg.Session(steps[e.Kind], e.Session, e.App, j.ctx.Now)
		e.Opening = j.reg.Opening(e.Session)
		if e.Fact != nil {
			j.reg.Fact(e.Session, e.Fact, e.FactDir, e.Initiator, e.Responder, j.ctx.Now)
			j.learnNames(e)
		}
	}
	j.move()
	j.ctx.Begin()
	j.watch.Observe(e, &j.ctx)
	if e.Kind == detect.SessionEnded {
		j.tally.sessions++
		j.tally.networks.add(e.Session, j.reg)
		if j.out.Session != nil && j.failed == nil {
			r := alert.SessionRecord(e.Session, e.App)
			j.check(j.out.Session(&r))
		}
	}
}

// move has alerts go on under the keys that devices have got.
func (j *judge) move() {
	for _, m := range j.reg.Moves() {
		broken := j.alerts.Move(m, &j.ctx)
		j.tally.move(m, broken)
	}
}

// learnNames keeps under which name addresses were given to a client. An answer is believed only if the server of the session gave it.
func (j *judge) learnNames(e *detect.Event) {
	m, ok := e.Fact.(*dissect.DNSMessage)
	if !ok || !m.Response || m.MDNS || m.LLMNR || e.FactDir != session.In {
		return
	}
	client := e.Session.Initiator.Addr.Netip()
	for i := range m.Answers {
		if a := &m.Answers[i]; a.Addr.IsValid() {
			j.ctx.Names.Learn(client, a.Addr, m.QName, a.TTL, j.ctx.Now)
		}
	}
}

func (j *judge) emit(f *detect.Finding) {
	j.tally.finding(f)
	j.look.begin(f, j.ctx.Now)
	j.alerts.Add(f, &j.ctx)
}

// write takes a revision of an alert.
func (j *judge) write(a *schemas.Alert) {
	j.memory.decided(j, a)
	j.put(a)
}

// put hands a revision of an alert on.
func (j *judge) put(a *schemas.Alert) {
	j.tally.alert(a)
	if j.out.Alert != nil && j.failed == nil {
		j.check(j.out.Alert(a))
	}
}

// flush has written what is held back.
func (j *judge) flush() {
	if j.out.Flush != nil && j.failed == nil {
		j.check(j.out.Flush())
	}
}

// check stops the run when an output can take no more.
func (j *judge) check(err error) {
	if err == nil || j.failed != nil {
		return
	}
	j.failed = fmt.Errorf("write records: %w", err)
	j.stopped()
}

// finish does what is due at the end of a run.
func (j *judge) finish(clock int64) {
	j.ctx.Now = max(j.ctx.Now, clock)
	for _, d := range j.detectors {
		d.Tick(j.ctx.Now, &j.ctx)
		if f, ok := d.(detect.Finisher); ok {
			f.Finish(j.ctx.Now, &j.ctx)
		}
	}
	j.alerts.Close(j.ctx.Now, &j.ctx)
	for _, d := range j.reg.All() {
		expect, _ := j.book.Expect(d, j.ctx.Now)
		j.tally.device(d, expect)
		if j.out.Device != nil && j.failed == nil {
			r := alert.DeviceRecord(d, j.book, j.ctx.Now, j.alerts.Standing(d.Key)...)
			j.check(j.out.Device(&r))
		}
	}
	j.memory.end(j)
}
