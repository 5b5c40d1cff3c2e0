// SPDX-License-Identifier: Apache-2.0

// Package watchtime measures the time in which the network was watched: capture time without the pauses of the capture. A device counts as
// silent only while its packets would have been captured. Times are nanoseconds of the capture clock unless a name says seconds. Nothing here
// is safe for concurrent use: it runs in the goroutine of the correlator.
package watchtime

const (
	second = int64(1e9)

	// LongestGap is the longest gap between two frames that can count as watched in a capture, and the longest time that a VLAN can be without
	// a frame while others have some. Beyond it nothing shows that the network was captured.
	LongestGap = 86400 * second
	// shortestPause is the shortest gap that can be a pause. Shorter gaps occur in any capture.
	shortestPause = 300 * second
	// usualTimes is the factor by which a pause exceeds the usual longest gap.
	usualTimes = 20
	// longestStep is the longest time between two ticks of a live interface, which come every second: beyond it the process or the machine
	// was suspended.
	longestStep = minute

	// quietAfter is the shortest time after which an interface whose traffic has stopped counts as blind.
	quietAfter = 900 * second

	numVLANs = 1 << 12
)

// Mark is a point of the watched time of a VLAN.
type Mark struct {
	VLAN uint16 // 0: untagged
	At   int64  // watched time until then; only differences are meaningful
}

// Clock measures the watched time of one mirror and of each of its VLANs. The nil Clock counts all time as watched.
//
// In a capture, a gap that is much longer than usual is a pause of the capture. It is noticed when the next frame arrives. On a live interface
// all time counts in which frames could arrive, whether they do or not.
type Clock struct {
	live    bool
	resumed bool  // the next tick is the first after a restart
	blind   bool  // live: no frame can arrive, or too many are lost
	traffic int64 // live: the last second in which the interface received frames, including ignored ones; 0: none yet

	begin  int64 // the first tick
	last   int64 // the last tick that counted
	lost   int64 // unwatched time since the first tick
	heard  int64 // the last second with a frame, and the one before it, in watched time
	before int64
	rhythm rhythm
	vlans  [numVLANs]vlan

	good  bool // the quality of the capture, see SetQuality
	hours hours

	first   int64 // the first tick of this run
	already int64 // unwatched time before this run
}

// vlan is the state of one VLAN, in watched time of the mirror.
type vlan struct {
	last int64 // last minute with a frame
	lost int64 // time in which the mirror was watched and the VLAN was not
}

// New returns the clock of a capture, or of a live interface if live is true.
func New(live bool) *Clock { return &Clock{live: live} }

// Frames records that second sec, since the Unix epoch, has a frame. Seconds must not decrease.
func (c *Clock) Frames(sec int64) { c.step(sec*second, true) }

// Idle records that the clock of a live interface has reached second sec without a frame in it. For a capture it does nothing.
func (c *Clock) Idle(sec int64) {
	if c.live {
		c.step(sec*second, false)
	}
}

// Traffic records that the interface received frames in second sec, including those that the sensor ignores.
func (c *Clock) Traffic(sec int64) {
	now := sec * second
	if c.traffic != 0 && now/minute > c.traffic/minute {
		c.rhythm.add(now - c.traffic)
	}
	c.traffic = max(c.traffic, now)
}

// Deaf records that no traffic can arrive in second sec, so that the interface does not count as quiet because of it.
func (c *Clock) Deaf(sec int64) {
	if c.traffic != 0 {
		c.traffic = sec * second
	}
}

// Quiet returns the second since which an interface has received no traffic, if that is longer than quietAfter and much longer than usual;
// otherwise 0.
func (c *Clock) Quiet(sec int64) int64 {
	limit := min(max(quietAfter, usualTimes*c.rhythm.usual()), LongestGap)
	if c.traffic == 0 || sec*second-c.traffic <= limit {
		return 0
	}
	return c.traffic / second
}

// SetBlind sets whether no frame can arrive, or too many are lost, from the last tick on.
func (c *Clock) SetBlind(blind bool) { c.blind = blind }

func (c *Clock) step(now int64, frames bool) {
	gap := now - c.last
	switch {
	case gap <= 0, c.last == 0:
	case c.live && (c.resumed || c.blind || gap > longestStep), c.pause(gap):
		c.lost += gap
	case c.good && c.proven(now, gap):
		c.hours.watched(c.last, now)
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

// proven reports whether frames show that the mirror worked in the gap after the last tick.
func (c *Clock) proven(now, gap int64) bool {
	if c.live {
		return now-c.traffic <= alive
	}
	return gap <= alive
}

// pause reports whether a gap after the last tick is a pause of the capture. The usual gap is known after a watched day: before that any gap may
// be normal, at night for example.
func (c *Clock) pause(gap int64) bool {
	switch {
	case c.live, gap <= shortestPause:
		return false
	case gap > LongestGap:
		return true
	}
	usual := c.rhythm.usual()
	return c.last-c.begin-c.lost >= LongestGap && usual > 0 && gap > usualTimes*usual
}

// VLAN records the first frame of a VLAN in a minute, in second sec.
func (c *Clock) VLAN(id uint16, sec int64) {
	v := &c.vlans[id%numVLANs]
	if v.last != 0 {
		v.lost += c.absence(v)
	}
	v.last = c.watched(sec * second)
	c.hours.vlan(id, sec)
}

// absence returns the watched time of the mirror in which a VLAN is missing: without a frame for longer than LongestGap while others had some.
func (c *Clock) absence(v *vlan) int64 {
	if gap := c.before - v.last; v.last != 0 && gap > LongestGap {
		return gap
	}
	return 0
}

// watched returns the watched time of the mirror until t.
func (c *Clock) watched(t int64) int64 {
	if open := t - c.last; open > second && c.pause(open) {
		t = c.last
	}
	return t - c.lost
}

// Mark returns the current mark of a VLAN.
func (c *Clock) Mark(id uint16, now int64) Mark {
	if c == nil {
		return Mark{id, now}
	}
	v := &c.vlans[id%numVLANs]
	return Mark{id, c.watched(now) - v.lost - c.absence(v)}
}

// Since returns how long the VLAN of m was watched from m until now.
func (c *Clock) Since(m Mark, now int64) int64 { return max(c.Mark(m.VLAN, now).At-m.At, 0) }

// Totals returns the watched and the unwatched seconds of this run.
func (c *Clock) Totals() (watched, lost uint64) {
	lost = uint64((c.lost - c.already) / second)
	return uint64((c.last-c.first)/second) - lost, lost
}
