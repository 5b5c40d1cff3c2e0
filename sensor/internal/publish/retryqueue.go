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

	"stillwatch/schemas"
)

// The limits of the retry queue over all topics: records, and bytes of their values (a sixteenth of a small spool). When one is reached,
// nothing more is read from the spool; the last batch may exceed it.
const (
	maxRetryRecords = 20_000
	maxRetryBytes   = 32 << 20
)

// topicQueue is the records of a topic that could not be delivered yet, in order.
type topicQueue struct {
	records []Record
	until   time.Time      // of the next attempt
	refused *DeliveryError // a missing topic or right; nil: none is missing, or the brokers cannot be reached
	pause   time.Duration
}

// retryQueue holds the records that were read from the spool and not delivered, by topic, so that one topic does not block another.
type retryQueue struct {
	topics map[string]*topicQueue
	next   uint64 // above the index of every record that was read
}

// full reports whether no more records may be read.
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

// due removes and returns the records to send now, including the batch, in order. Records of the batch whose topic pauses are queued.
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

// hold queues a copy of a record, so that the rest of the chunk it was read from can be freed.
func (w *topicQueue) hold(r Record) {
	r.Value = bytes.Clone(r.Value)
	w.records = append(w.records, r)
}

// put queues the records that were tried and not delivered. It returns the indexes of those that were delivered.
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
		delete(q.topics, t) // the pauses start from the first again
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

// wait returns the time until the next attempt; false if the queue is empty.
func (q *retryQueue) wait(now time.Time) (time.Duration, bool) {
	least, any := time.Duration(0), false
	for _, w := range q.topics {
		if d := max(w.until.Sub(now), 0); len(w.records) > 0 && (!any || d < least) {
			least, any = d, true
		}
	}
	return least, any
}

// cursor returns the index below which every record was delivered.
func (q *retryQueue) cursor() uint64 {
	c := q.next
	for _, w := range q.topics {
		if len(w.records) > 0 {
			c = min(c, w.records[0].Index)
		}
	}
	return c
}

// deliver sends batches until the channel is closed or ctx ends. Records that are not delivered are queued and tried again.
func (d *Drain) deliver(ctx context.Context, batches <-chan []Record) {
	q := retryQueue{topics: map[string]*topicQueue{}}
	most := min(int64(maxRetryBytes), d.spool.o.MaxBytes/16)
	for ctx.Err() == nil {
		from := batches
		if q.full(most) {
			d.giveUpEvidence(&q)
		}
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

// round makes one attempt to send the records that are due.
func (d *Drain) round(ctx context.Context, q *retryQueue, batch []Record) {
	tried := q.due(batch, time.Now())
	if len(tried) == 0 {
		return
	}
	left, failed := d.attempt(ctx, tried)
	arrived := q.put(tried, left, time.Now())
	if ctx.Err() == nil {
		d.record(q, failed)
	}
	d.spool.ackSome(arrived) // last: a caller that waits for the last record must not see an error that is over
	d.spool.Ack(q.cursor(), 0)
}

// giveUpEvidence moves the packets of alerts that wait for a missing topic or right to the dead-letter file, so that they do not block alerts.
func (d *Drain) giveUpEvidence(q *retryQueue) {
	w := q.topics[schemas.EvidenceTopic]
	if w == nil || w.refused == nil {
		return
	}
	var gone []uint64
	for len(w.records) > 0 && d.reject(&w.records[0], w.refused.Cause, w.refused.Text) == nil {
		gone = append(gone, w.records[0].Index)
		w.records = w.records[1:]
	}
	d.spool.ackSome(gone)
	d.spool.Ack(q.cursor(), 0)
}

// record stores the result of an attempt.
func (d *Drain) record(q *retryQueue, failed map[string]error) {
	for topic, err := range failed {
		if w := q.topics[topic]; w != nil {
			w.refused = refusal(err)
		}
	}
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

// refusal returns the error if the brokers do not accept records of a topic until an operator changes something.
func refusal(err error) *DeliveryError {
	var e *DeliveryError
	if errors.As(err, &e) && (e.Cause == CauseNoTopic || e.Cause == CauseAuthorization) {
		return e
	}
	return nil
}

// passing removes from failed the topics that are missing for the first time: a new topic is not known to all brokers at once, so only a
// second attempt over a new connection shows that it does not exist.
func (q *retryQueue) passing(failed map[string]error) {
	maps.DeleteFunc(failed, func(topic string, err error) bool {
		var e *DeliveryError
		return errors.As(err, &e) && e.Cause == CauseNoTopic && q.topics[topic] != nil && q.topics[topic].pause <= firstPause
	})
}
