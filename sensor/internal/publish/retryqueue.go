// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// What is set aside at most, of all topics together, before nothing more is taken from the spool: records, and bytes of their
// values (a sixteenth of a small spool). A batch may go beyond it.
const (
	maxRetryRecords = 20_000
	maxRetryBytes   = 32 << 20
)

// waiting are the records of a topic that could not be delivered yet, in order.
type topicQueue struct {
	records []Record
	until   time.Time // when they are tried again
	pause   time.Duration
}

// aside has what was taken from the spool and has not arrived, by topic, so that a topic does not hold up another.
type retryQueue struct {
	topics map[string]*topicQueue
	next   uint64 // above everything that was taken
}

// full reports whether nothing more may be taken.
func (q *retryQueue) full(most int64) bool {
	count, size := 0, int64(0)
	for _, w := range q.topics {
		count += len(w.records)
		for i := range w.records {
			size += int64(len(w.records[i].Value))
		}
	}
	return count >= maxRetryRecords || size >= most
}

// due takes out what is to be tried now, the batch included, in order. Of a topic that pauses, the batch is set aside.
func (q *retryQueue) due(batch []Record, now time.Time) (out []Record) {
	for _, w := range q.topics {
		if !w.until.After(now) {
			out = append(out, w.records...)
			w.records = nil
		}
	}
	for _, r := range batch {
		q.next = r.Index + 1
		if w := q.topics[r.Topic]; w != nil && len(w.records) > 0 {
			w.hold(r)
		} else {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Record) int { return cmp.Compare(a.Index, b.Index) })
	return out
}

// hold keeps a record without the rest of what was read together with it.
func (w *topicQueue) hold(r Record) {
	r.Value = bytes.Clone(r.Value)
	w.records = append(w.records, r)
}

// put sets aside what has not arrived of what was tried. It gives the indexes of what has.
func (q *retryQueue) put(tried, left []Record, now time.Time) (arrived []uint64) {
	missing := map[uint64]bool{}
	for _, r := range left {
		missing[r.Index] = true
	}
	moved := map[string]bool{}
	for _, r := range tried {
		if !missing[r.Index] {
			arrived = append(arrived, r.Index)
			moved[r.Topic] = true
		}
	}
	for t := range moved {
		delete(q.topics, t) // the pauses begin anew
	}
	for _, r := range left {
		w := q.topics[r.Topic]
		if w == nil {
			w = &topicQueue{}
			q.topics[r.Topic] = w
		}
		if len(w.records) == 0 {
			w.pause = min(max(2*w.pause, firstPause), lastPause)
			w.until = now.Add(w.pause - rand.N(w.pause/2))
		}
		w.hold(r)
	}
	return arrived
}

// wait gives how long to wait for the next attempt; false if nothing is set aside.
func (q *retryQueue) wait(now time.Time) (time.Duration, bool) {
	least, any := time.Duration(0), false
	for _, w := range q.topics {
		if d := max(w.until.Sub(now), 0); len(w.records) > 0 && (!any || d < least) {
			least, any = d, true
		}
	}
	return least, any
}

// cursor gives the index below which everything has arrived.
func (q *retryQueue) cursor() uint64 {
	c := q.next
	for _, w := range q.topics {
		if len(w.records) > 0 {
			c = min(c, w.records[0].Index)
		}
	}
	return c
}

// deliver sends batches until there are none any more. What does not arrive is set aside and tried again.
func (d *Drain) deliver(ctx context.Context, batches <-chan []Record) {
	q := retryQueue{topics: map[string]*topicQueue{}}
	most := min(int64(maxRetryBytes), d.spool.o.MaxBytes/16)
	for ctx.Err() == nil {
		from := batches
		if q.full(most) {
			from = nil
		}
		var again <-chan time.Time
		if pause, any := q.wait(time.Now()); any {
			again = time.After(pause)
		}
		var batch []Record
		var open = true
		select {
		case batch, open = <-from:
		case <-again:
		case <-ctx.Done():
		}
		if ctx.Err() != nil || !open {
			return
		}
		d.round(ctx, &q, batch)
	}
}

// round tries what is due.
func (d *Drain) round(ctx context.Context, q *retryQueue, batch []Record) {
	tried := q.due(batch, time.Now())
	if len(tried) == 0 {
		return
	}
	left, failed := d.attempt(ctx, tried)
	arrived := q.put(tried, left, time.Now())
	if ctx.Err() == nil {
		d.tell(q, failed)
	}
	d.spool.ackSome(arrived) // after that: who waits for the last record must not find trouble that is over
	d.spool.Ack(q.cursor(), 0)
}

// tell notes how an attempt went.
func (d *Drain) tell(q *retryQueue, failed map[string]error) {
	if len(failed) > 0 {
		d.disconnect()
		q.passing(failed)
	}
	if len(failed) > 0 {
		d.note(failed[slices.Min(slices.Collect(maps.Keys(failed)))])
	} else if _, any := q.wait(time.Now()); !any {
		d.note(nil)
	}
}

// passing takes out of failed the topics that are missing for the first time: a broker learns of a new topic some time after the one
// that made it, so only a second attempt over a new connection tells that there is none.
func (q *retryQueue) passing(failed map[string]error) {
	maps.DeleteFunc(failed, func(topic string, err error) bool {
		var e *DeliveryError
		return errors.As(err, &e) && e.Cause == CauseNoTopic && q.topics[topic] != nil && q.topics[topic].pause <= firstPause
	})
}
