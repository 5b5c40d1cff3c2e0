// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
)

// qualityCounts are the sums from which the quality of a capture is told.
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
	q.add(&qualityCounts{ended: s.TCPEnded, oneWay: s.TCPOneWay, acked: s.AckedBytes, gaps: s.GapBytes, packets: s.TCPPackets, duplicates: s.Duplicates})
}

func (q qualityCounts) since(x qualityCounts) qualityCounts {
	return qualityCounts{q.ended - x.ended, q.oneWay - x.oneWay, q.acked - x.acked, q.gaps - x.gaps, q.packets - x.packets, q.duplicates - x.duplicates,
		q.offered - x.offered, q.lost - x.lost}
}

// qualityMinutes is over how many minutes quality is taken.
const qualityMinutes = 10

// qualityWindow keeps the sums at the last whole minutes.
type qualityWindow struct {
	minute int64
	past   [qualityMinutes]qualityCounts // oldest first
	last   qualityCounts                 // the sums as they stand
}

// set takes the sums at a second and tells the quality over the window.
func (w *qualityWindow) set(sec int64, q qualityCounts, out *detect.Quality) {
	if m := sec / 60; m > w.minute {
		for n := min(m-w.minute, qualityMinutes); n > 0 && w.minute > 0; n-- {
			copy(w.past[:], w.past[1:])
			w.past[qualityMinutes-1] = q
		}
		w.minute = m
	}
	w.last = q
	q.since(w.past[0]).tell(out)
}

// Fewer observations than these tell nothing.
const (
	minEnded   = 20
	minAcked   = 100_000
	minPackets = 1000
	// oneWayLimit is the share of TCP sessions seen one way beyond which the mirror is taken to be one-way (detections.md, D41).
	oneWayLimit = 0.05
	// oneDirectionShare is the share beyond which the mirror is known to carry one direction only, so that a SYN-ACK is all that it can show
	// of an opening. It takes more than half of all sessions, so that a few made-up ones do not change what counts as proof.
	oneDirectionShare = 0.5
)

func (q qualityCounts) tell(out *detect.Quality) {
	out.OneWayShare = share(q.oneWay, q.ended, minEnded)
	out.GapShare = share(q.gaps, q.acked, minAcked)
	out.DupShare = share(q.duplicates, q.packets, minPackets)
	out.LossRatio = share(q.lost, q.offered, minPackets)
	out.OneWay = out.OneWayShare > oneWayLimit
}

func share(part, of, least uint64) float64 {
	if of < least {
		return 0
	}
	return float64(part) / float64(of)
}
