// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/watchtime"
)

// qualityCounts are the totals from which the quality of a capture is computed.
type qualityCounts struct {
	ended, oneWay, acked, gaps, packets, duplicates, offered, lost uint64
}

func (q *qualityCounts) add(x *qualityCounts) {
	q.ended += x.ended
	q.oneWay += x.oneWay
	q.acked += x.acked
	q.gaps += x.gaps
	q.packets += x.packets
	q.duplicates += x.duplicates
	q.offered += x.offered
	q.lost += x.lost
}

func (q *qualityCounts) addStats(s *session.Stats) {
	q.add(&qualityCounts{ended: s.TCPEnded, oneWay: s.TCPOneWay, acked: s.AckedBytes, gaps: s.GapBytes, packets: s.TCPPackets, duplicates: s.TCPDuplicates})
}

func (q qualityCounts) since(x qualityCounts) qualityCounts {
	return qualityCounts{q.ended - x.ended, q.oneWay - x.oneWay, q.acked - x.acked, q.gaps - x.gaps, q.packets - x.packets, q.duplicates - x.duplicates,
		q.offered - x.offered, q.lost - x.lost}
}

// qualityMinutes is the length of the window over which quality is computed.
const qualityMinutes = 10

// qualityWindow holds the totals at the last whole minutes.
type qualityWindow struct {
	minute int64
	past   [qualityMinutes]qualityCounts // oldest first
	last   qualityCounts                 // current totals
}

// set records the totals at a second and stores the quality over the window in out.
func (w *qualityWindow) set(sec int64, q qualityCounts, out *detect.Quality) {
	if m := sec / 60; m > w.minute {
		for n := min(m-w.minute, qualityMinutes); n > 0 && w.minute > 0; n-- {
			copy(w.past[:], w.past[1:])
			w.past[qualityMinutes-1] = q
		}
		w.minute = m
	}
	w.last = q
	q.since(w.past[0]).store(out)
	out.RunGapShare = share(q.gaps, q.acked, minRunAcked)
}

// With fewer observations than these a share counts as 0.
const (
	minEnded   = 20
	minAcked   = 100_000
	minPackets = 1000
	// minRunAcked is for the whole run: a network with little traffic has no more in its first hours.
	minRunAcked = 10_000
	// oneWayLimit is the share of TCP sessions seen in one direction above which the mirror counts as one-way (docs/detections/D41.md).
	oneWayLimit = 0.05
	// oneDirectionShare is the share above which the mirror certainly carries one direction only, so that a SYN-ACK is all that it can show
	// of an opening. It is more than half of all sessions, so that an attacker cannot change what counts as proof with a few forged ones.
	oneDirectionShare = 0.5
)

func (q qualityCounts) store(out *detect.Quality) {
	out.OneWayShare = share(q.oneWay, q.ended, minEnded)
	out.GapShare = share(q.gaps, q.acked, minAcked)
	out.DupShare = share(q.duplicates, q.packets, minPackets)
	out.LossRatio = share(q.lost, q.offered, minPackets)
	out.OneWay = out.OneWayShare > oneWayLimit
}

// maxLoss is the share of packets that were not captured up to which a capture is good enough to show that a device was silent.
const maxLoss = 0.001

// good reports whether both directions are captured and hardly a packet is lost.
func good(q *detect.Quality) bool {
	return !q.OneWay && q.LossRatio <= maxLoss && q.GapShare <= maxLoss && q.Blind == ""
}

func (q *qualityCounts) losses() watchtime.Losses {
	return watchtime.Losses{Offered: q.offered, Lost: q.lost, Acked: q.acked, Gaps: q.gaps}
}

func share(part, of, least uint64) float64 {
	if of < least {
		return 0
	}
	return float64(part) / float64(of)
}
