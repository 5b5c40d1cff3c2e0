// SPDX-License-Identifier: Apache-2.0

package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
)

// A sensor numbers the alerts of one run from 1. They come over several partitions, so a number that is not there yet is
// not lost yet: what came is kept as runs of numbers, and what lies between them, or before the first, is missing now.

// maxRuns bounds the runs of one boot: a sender of odd numbers must not fill the database. Beyond it the two runs with the
// least between them are joined, and what lay between stays counted as lost.
const maxRuns = 500

// received is which numbers of one boot came.
type received struct {
	Runs [][2]uint64 `json:"runs"`           // first and last, sorted, apart
	Lost uint64      `json:"lost,omitempty"` // numbers given up on when runs were joined
}

// add notes one number, and tells whether it is new.
func (r *received) add(n uint64) bool {
	i, found := slices.BinarySearchFunc(r.Runs, n, func(run [2]uint64, n uint64) int {
		switch {
		case run[1] < n:
			return -1
		case run[0] > n:
			return 1
		}
		return 0
	})
	if found {
		return false
	}
	joinsLeft := i > 0 && r.Runs[i-1][1]+1 == n
	joinsRight := i < len(r.Runs) && n+1 == r.Runs[i][0]
	switch {
	case joinsLeft && joinsRight:
		r.Runs[i-1][1] = r.Runs[i][1]
		r.Runs = slices.Delete(r.Runs, i, i+1)
	case joinsLeft:
		r.Runs[i-1][1] = n
	case joinsRight:
		r.Runs[i][0] = n
	default:
		r.Runs = slices.Insert(r.Runs, i, [2]uint64{n, n})
		r.bound()
	}
	return true
}

// bound joins the two runs with the least between them when there are too many.
func (r *received) bound() {
	if len(r.Runs) <= maxRuns {
		return
	}
	at := 1
	for i := 2; i < len(r.Runs); i++ {
		if r.Runs[i][0]-r.Runs[i-1][1] < r.Runs[at][0]-r.Runs[at-1][1] {
			at = i
		}
	}
	r.Lost += r.Runs[at][0] - r.Runs[at-1][1] - 1
	r.Runs[at-1][1] = r.Runs[at][1]
	r.Runs = slices.Delete(r.Runs, at, at+1)
}

// missing counts the numbers from 1 to the highest that did not come.
func (r *received) missing() uint64 {
	n, next := r.Lost, uint64(1)
	for _, run := range r.Runs {
		n += run[0] - next
		next = run[1] + 1
	}
	return n
}

func (r *received) highest() uint64 {
	if len(r.Runs) == 0 {
		return 0
	}
	return r.Runs[len(r.Runs)-1][1]
}

// gaps gives the first and last number of what is missing, at most limit, the first of them.
func (r *received) gaps(limit int) [][2]uint64 {
	var out [][2]uint64
	next := uint64(1)
	for _, run := range r.Runs {
		if run[0] > next && len(out) < limit {
			out = append(out, [2]uint64{next, run[0] - 1})
		}
		next = run[1] + 1
	}
	return out
}

// boot notes the numbers of a batch, and gives how many of them were new.
func (in *ingest) boot(sensor, boot string, s *sensorSeen) (int, error) {
	var text string
	r := received{}
	err := in.tx.QueryRowContext(in.ctx, `SELECT received FROM boots WHERE sensor = ? AND boot = ?`, sensor, boot).Scan(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &r)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	came := 0
	for _, a := range s.alerts {
		if r.add(min(a.Sensor.Seq, 1<<62)) { // the database has signed numbers
			came++
		}
	}
	out, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	_, err = in.tx.ExecContext(in.ctx, `INSERT INTO boots (sensor, boot, first_seen, last_seen, max_seq, missing, replay, received) VALUES (?,?,?,?,?,?,?,?)
		ON CONFLICT (sensor, boot) DO UPDATE SET last_seen = excluded.last_seen, max_seq = excluded.max_seq, missing = excluded.missing,
		received = excluded.received`,
		sensor, boot, in.now, in.now, int64(r.highest()), int64(r.missing()), s.latest.Time.Replay, string(out))
	return came, err
}
