// SPDX-License-Identifier: Apache-2.0

package session

import (
	"math"
	"slices"
)

// BinTime is the length of a Bin in nanoseconds, maxBins the number of bins that are reported at once.
const (
	BinTime = 250e6
	maxBins = activitySeconds * 1e9 / BinTime
)

// activitySeconds is how often bins are reported.
const activitySeconds = 8

// Bin is the payload that a session carried within BinTime.
type Bin struct {
	Time  int64     // of the first payload in it, nanoseconds
	Dir   Dir       // direction of that payload
	Bytes [2]uint32 // by direction
}

// Turn swaps the directions.
func (b *Bin) Turn() {
	b.Dir ^= 1
	b.Bytes[0], b.Bytes[1] = b.Bytes[1], b.Bytes[0]
}

// followed is the activity of one session; its directions are sides until it is reported. A packet touches one cache line of it.
type followed struct {
	cur  Bin // the latest bin; its Time is 0 if there is none
	last int64
	n    int
	r    ref
	bins [maxBins]Bin // those before
}

// follower has the sessions of a table whose activity is reported: those that have carried FollowKiB of payload and are still in use
// FollowAge seconds later. Nothing is done for the packets of other sessions. What is followed depends only on the packets of the partition, so
// it is the same for any number of shards.
type follower struct {
	young  []young // in the order of due
	all    []*followed
	free   []*followed
	report int64 // second at which bins are reported, the same for all sessions; never if there are none
	next   int64 // no second before it has anything due
}

// young is a session that is to be followed at a second.
type young struct {
	id  uint64
	due int64
	r   ref
}

// never is a second that does not come.
const never = math.MaxInt64

func newFollower() follower { return follower{report: never, next: never} }

// mature queues a session that has reached FollowKiB.
func (t *Table) mature(r ref, s *Session) {
	f := &t.follow
	if len(f.young) >= t.cfg.MaxSessions {
		t.Stats.FollowEvicted++
		return
	}
	due := t.wheel.now + t.cfg.FollowAge
	f.young = append(f.young, young{s.id, due, r})
	f.next = min(f.next, due)
}

// active adds payload to the activity of a followed session.
func (t *Table) active(s *Session, n uint32, side uint8, now int64) {
	x := t.extras.all[s.extra].followed
	x.last = now
	if b := &x.cur; b.Time != 0 {
		if now/BinTime <= b.Time/BinTime {
			b.Bytes[side] = uint32(min(uint64(b.Bytes[side])+uint64(n), math.MaxUint32))
			return
		}
		x.bins[x.n] = *b
		if x.n++; x.n == maxBins {
			x.cur.Time = 0
			t.reportActivity(x, now)
		}
	}
	x.cur = Bin{Time: now, Dir: Dir(side)}
	x.cur.Bytes[side] = n
	if f := &t.follow; f.report == never {
		f.report = (now/1e9/activitySeconds + 1) * activitySeconds
		f.next = min(f.next, f.report)
	}
}

// reportActivity reports the bins of a session, if there are any, and clears them.
func (t *Table) reportActivity(x *followed, now int64) {
	if x.cur.Time != 0 {
		x.bins[x.n] = x.cur
		x.n, x.cur.Time = x.n+1, 0
	}
	if x.n == 0 {
		return
	}
	s := t.at(x.r)
	if s.initiatorSide() != 0 {
		for i := range x.bins[:x.n] {
			x.bins[i].Turn()
		}
	}
	t.h.Active(s, x.bins[:x.n], now)
	x.n = 0
}

// advanceFollowed reports the activity that is due, and follows sessions that are old enough, second by second.
func (t *Table) advanceFollowed(now int64) {
	f := &t.follow
	for f.next <= now {
		sec := f.next
		if f.report <= sec {
			f.report = never
			for _, x := range f.all {
				t.reportActivity(x, sec*1e9)
			}
		}
		n := 0
		for ; n < len(f.young) && f.young[n].due <= sec; n++ {
			if y := &f.young[n]; t.at(y.r).id == y.id {
				t.followSession(y.r, t.at(y.r), sec)
			}
		}
		f.young = slices.Delete(f.young, 0, n)
		f.next = f.report
		if len(f.young) > 0 {
			f.next = min(f.next, f.young[0].due)
		}
	}
}

// followSession begins to follow a session that both ends have used lately. If there are too many, the one that was idle longest makes room.
func (t *Table) followSession(r ref, s *Session, sec int64) {
	f := &t.follow
	open := s.state == Established || s.state == Midstream || s.state == OneWay
	if s.flags&(flagDead|flagGroup) != 0 || !open || !hasPorts(s.key.proto()) || s.counts[0].payload == 0 || s.counts[1].payload == 0 ||
		int64(s.touched) < sec-t.cfg.FollowAge {
		return
	}
	if len(f.all) >= t.cfg.MaxFollowed {
		if len(f.all) == 0 {
			return
		}
		x := slices.MinFunc(f.all, func(a, b *followed) int { return int(min(max(a.last-b.last, -1), 1)) })
		t.unfollow(t.at(x.r), sec*1e9)
		t.Stats.FollowEvicted++
	}
	x := new(followed)
	if n := len(f.free); n > 0 {
		x, f.free = f.free[n-1], f.free[:n-1]
	}
	x.r, x.last, x.n, x.cur.Time = r, s.last, 0, 0
	f.all = append(f.all, x)
	t.extraOf(s).followed = x
	s.flags |= flagFollowed
}

// unfollow reports what is left of the activity of a session and stops following it.
func (t *Table) unfollow(s *Session, now int64) {
	if s.flags&flagFollowed == 0 {
		return
	}
	f, e := &t.follow, &t.extras.all[s.extra]
	x := e.followed
	t.reportActivity(x, now)
	s.flags &^= flagFollowed
	e.followed = nil
	f.all = slices.DeleteFunc(f.all, func(y *followed) bool { return y == x })
	f.free = append(f.free, x)
}
