// SPDX-License-Identifier: Apache-2.0

// Package watchtime keeps the time in which the network was watched: capture time without the time in which nobody listened. A device was
// silent only for as long as somebody could have heard it. Times are nanoseconds of the capture clock unless a name says seconds. Nothing
// here is safe for concurrent use: it runs in the one goroutine of the judge.
package watchtime

const (
	second = int64(1e9)

	// LongestGap is the longest gap between two frames that can count as watched in a capture, and the longest time that a VLAN can be without
	// a frame while others have some: beyond it nothing shows that somebody listened.
	LongestGap = 86400 * second
	// shortestPause is the shortest gap that can be a pause. Gaps of less are part of any capture.
	shortestPause = 300 * second
	// usualTimes is how many times the usual longest gap a pause is longer than.
	usualTimes = 20
	// longestStep is the longest time between two ticks of a port, which come each second: beyond it the process or the machine stood still.
	longestStep = minute

	// quietAfter is the shortest time after which a port that had traffic and has none is taken for blind.
	quietAfter = 900 * second

	numVLANs = 1 << 12
)

// Mark is a moment of the time watched in a VLAN.
type Mark struct {
	VLAN uint16 // 0: untagged
	At   int64  // time watched until then; only differences mean something
}

// Clock counts the time watched of one mirror and of its VLANs, each of the 4096 in a place of its own. The nil Clock takes all time as
// watched.
//
// In a capture, a gap that stands out from the rhythm of the frames is a pause of the capture. It is noticed when the next frame
// comes. At a port the time counts while the port can be listened to, whether frames come or not.
type Clock struct {
	live    bool
	resumed bool  // the next tick is the first after a restart
	blind   bool  // at a port: it cannot be listened to, or too much is lost
	traffic int64 // at a port: the last second in which frames came to it, wanted or not; 0: none yet

	begin  int64 // the first tick
	last   int64 // the last tick that counted
	lost   int64 // time that was not watched, since the first tick
	heard  int64 // the last second with a frame, and the one before it, in time watched
	before int64
	rhythm rhythm
	vlans  [numVLANs]vlan

	first   int64 // the first tick of this run
	already int64 // lost before this run
}

// vlan is the state of one VLAN, in time watched of the mirror.
type vlan struct {
	last int64 // last minute with a frame
	lost int64 // time in which the VLAN was not watched while the mirror was
}

// New gives the clock of a capture, or of a port if live is true.
func New(live bool) *Clock { return &Clock{live: live} }

// Frames says that second sec, since the Unix epoch, has a frame. Seconds come in rising order.
func (c *Clock) Frames(sec int64) { c.step(sec*second, true) }

// Idle says that the clock of a port has reached second sec and no frame has come in it. In a capture this says nothing.
func (c *Clock) Idle(sec int64) {
	if c.live {
		c.step(sec*second, false)
	}
}

// Traffic says that frames have come to the port in second sec, whether they are wanted or not.
func (c *Clock) Traffic(sec int64) {
	now := sec * second
	if c.traffic != 0 && now/minute > c.traffic/minute {
		c.rhythm.add(now - c.traffic)
	}
	c.traffic = max(c.traffic, now)
}

// Deaf says that no traffic can come in second sec, so that the port is not quiet because of it.
func (c *Clock) Deaf(sec int64) {
	if c.traffic != 0 {
		c.traffic = sec * second
	}
}

// Quiet gives the second since which a port that had traffic has none, if that is for longer than quietAfter and stands out from its rhythm;
// else 0.
func (c *Clock) Quiet(sec int64) int64 {
	limit := min(max(quietAfter, usualTimes*c.rhythm.usual()), LongestGap)
	if c.traffic == 0 || sec*second-c.traffic <= limit {
		return 0
	}
	return c.traffic / second
}

// SetBlind says whether the port cannot be listened to, or loses too much, from the last tick on.
func (c *Clock) SetBlind(blind bool) { c.blind = blind }

func (c *Clock) step(now int64, frames bool) {
	gap := now - c.last
	switch {
	case gap <= 0, c.last == 0:
	case c.live && (c.resumed || c.blind || gap > longestStep), c.pause(gap):
		c.lost += gap
	}
	if c.last != 0 && !c.live && now/minute > c.last/minute {
		c.rhythm.add(gap)
	}
	if c.resumed, c.last = false, max(c.last, now); c.first == 0 {
		c.first, c.already = now, c.lost
	}
	if c.begin == 0 {
		c.begin = now
	}
	if w := c.watched(now); frames && w > c.heard {
		c.before, c.heard = c.heard, w
	}
}

// pause reports whether a gap after the last tick is a pause of the capture. What is usual is known after a day: within less, at night for one,
// any gap may be.
func (c *Clock) pause(gap int64) bool {
	switch {
	case c.live, gap <= shortestPause:
		return false
	case gap > LongestGap:
		return true
	}
	usual := c.rhythm.usual()
	return c.last-c.begin >= LongestGap && usual > 0 && gap > usualTimes*usual
}

// VLAN says that a VLAN has a frame in second sec, for the first time in its minute.
func (c *Clock) VLAN(id uint16, sec int64) {
	v := &c.vlans[id%numVLANs]
	if v.last != 0 {
		v.lost += c.absence(v)
	}
	v.last = c.watched(sec * second)
}

// absence gives the time watched of the mirror in which a VLAN is missing: without a frame for longer than LongestGap while others had some.
func (c *Clock) absence(v *vlan) int64 {
	if gap := c.before - v.last; v.last != 0 && gap > LongestGap {
		return gap
	}
	return 0
}

// watched gives the time watched of the mirror until t.
func (c *Clock) watched(t int64) int64 {
	if open := t - c.last; open > second && c.pause(open) {
		t = c.last
	}
	return t - c.lost
}

// Mark gives the present moment of a VLAN.
func (c *Clock) Mark(id uint16, now int64) Mark {
	if c == nil {
		return Mark{id, now}
	}
	v := &c.vlans[id%numVLANs]
	return Mark{id, c.watched(now) - v.lost - c.absence(v)}
}

// Since gives for how long the VLAN of m was watched from m until now.
func (c *Clock) Since(m Mark, now int64) int64 { return max(c.Mark(m.VLAN, now).At-m.At, 0) }

// Totals gives the seconds of this run that were watched, and those that were not.
func (c *Clock) Totals() (watched, lost uint64) {
	lost = uint64((c.lost - c.already) / second)
	return uint64((c.last-c.first)/second) - lost, lost
}
