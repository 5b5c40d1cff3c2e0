// SPDX-License-Identifier: Apache-2.0

// Package consume moves records from Kafka to the store: it fetches, validates, stores and only then commits them. Records that are
// rejected go to the dead-letter queue and do not hold up others. Storing is idempotent by (id, revision), so a crash between store
// and commit, or a rebalance, does no harm.
package consume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/zap"

	"stillwatch/collector/internal/store"
	"stillwatch/internal/panics"
)

// Reader is a Kafka consumer group reader.
type Reader interface {
	FetchMessage(ctx context.Context) (kafka.Message, error)
	CommitMessages(ctx context.Context, msgs ...kafka.Message) error
	Close() error
}

// DeadLetterQueue receives rejected records.
type DeadLetterQueue interface {
	// Send returns nil when the record is stored, ErrUndeliverable if it never will be, and other errors if a retry may succeed.
	Send(ctx context.Context, m kafka.Message, reason string) error
}

// ErrUndeliverable means that the dead-letter topic will never accept a record. It is still in the database.
var ErrUndeliverable = errors.New("not accepted by the dead-letter topic")

// Config configures batching, logging and error texts.
type Config struct {
	Batch  int           // maximum number of records in one transaction; 0: 4000
	Linger time.Duration // how long a batch waits for more records; 0: 20 ms
	Log    *zap.Logger   // nil: none
	// Explain converts an error of Kafka to one that says what to do; nil: unchanged.
	Explain func(error) error
}

// Consumer moves records from one reader to one store.
type Consumer struct {
	reader  Reader
	store   store.Ingest
	dead    DeadLetterQueue
	config  Config
	metrics *Metrics

	mu      sync.Mutex
	problem string // why nothing is stored at present, "" if all is well
}

// New returns a consumer, which takes ownership of the reader.
func New(c Config, r Reader, s store.Ingest, dead DeadLetterQueue, m *Metrics) *Consumer {
	if c.Batch == 0 {
		c.Batch = 4000
	}
	if c.Linger == 0 {
		c.Linger = 20 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.Explain == nil {
		c.Explain = func(err error) error { return err }
	}
	return &Consumer{reader: r, store: s, dead: dead, config: c, metrics: m}
}

// Problem returns why nothing is stored at present, "" if all is well.
func (c *Consumer) Problem() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problem
}

// Close leaves the group if Run was never called. Run itself leaves the group when it returns.
func (c *Consumer) Close() error { return c.reader.Close() }

func (c *Consumer) setProblem(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = s
}

// Run consumes until ctx is done and then returns nil. It finishes and commits the current batch first, within stopTime. Records that
// were fetched but not stored are fetched again later.
func (c *Consumer) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fetched := make(chan kafka.Message, c.config.Batch)
	failed := make(chan error, 1)
	go func() { failed <- panics.ToError("consumer", func() error { return c.fetch(ctx, fetched) }) }()
	ready := make(chan work, 1) // the next batch is validated while this one is stored
	go c.prepare(ctx, fetched, ready)
	var err error
	for w := range ready {
		if ctx.Err() != nil {
			continue // not stored and not committed, so fetched again later
		}
		if err = c.handle(ctx, w); err != nil {
			cancel()
		}
	}
	return errors.Join(ignoreEnd(err), <-failed, c.reader.Close())
}

// work is a batch with its valid and rejected records.
type work struct {
	batch []kafka.Message
	good  parsed
	bad   []rejected
}

// prepare collects and validates batches until in is closed.
func (c *Consumer) prepare(ctx context.Context, in <-chan kafka.Message, out chan<- work) {
	defer close(out)
	for {
		batch := c.collect(ctx, in)
		if len(batch) == 0 {
			return
		}
		w := work{batch: batch}
		w.good, w.bad = parse(batch)
		out <- w
	}
}

func ignoreEnd(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// fetch forwards messages until ctx is done. After errors it retries: the reader reconnects on its own.
func (c *Consumer) fetch(ctx context.Context, out chan<- kafka.Message) error {
	defer close(out)
	for wait := newBackoff(); ; {
		m, err := c.reader.FetchMessage(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return nil
		case err != nil:
			c.metrics.fetchErrors.Add(1)
			err = c.config.Explain(err)
			c.setProblem(fmt.Sprintf("Kafka: %v", err))
			c.config.Log.Warn("cannot fetch", zap.Error(err))
			if wait.sleep(ctx) != nil {
				return nil
			}
			continue
		}
		wait.reset()
		select {
		case out <- m:
		case <-ctx.Done():
			return nil
		}
	}
}

// collect waits for a message and adds those that arrive within the linger time. It returns none at the end.
func (c *Consumer) collect(ctx context.Context, in <-chan kafka.Message) []kafka.Message {
	m, ok := <-in
	if !ok || ctx.Err() != nil {
		return nil
	}
	batch := append(make([]kafka.Message, 0, c.config.Batch), m)
	timer := time.NewTimer(c.config.Linger)
	defer timer.Stop()
	for len(batch) < c.config.Batch {
		select {
		case m, ok := <-in:
			if !ok {
				return batch
			}
			batch = append(batch, m)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// stopTime is how long the current batch may take after ctx is done.
const stopTime = 10 * time.Second

// handle stores a batch and commits it. It returns when both are done, or stopTime after ctx is done.
func (c *Consumer) handle(ctx context.Context, w work) error {
	grace, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(stopTime, cancel) })
	defer stop()

	began := time.Now()
	if err := c.storeBatch(grace, w.good, &w.bad); err != nil {
		return err
	}
	c.metrics.storeSeconds.Observe(time.Since(began).Seconds())
	if err := c.sendDead(grace, w.bad); err != nil {
		return err
	}
	c.metrics.read(w.batch)
	if err := c.reader.CommitMessages(grace, w.batch...); err != nil {
		// After a rebalance, the new owner of the partition reads these records again and finds them stored.
		c.metrics.commitErrors.Add(1)
		c.config.Log.Warn("cannot commit, the records will be read again", zap.Int("records", len(w.batch)), zap.Error(err))
	}
	return nil
}

// storeBatch stores b, however long it takes. A batch that the store rejects is stored record by record, and records that are rejected
// then are added to bad.
func (c *Consumer) storeBatch(ctx context.Context, b parsed, bad *[]rejected) error {
	err := c.apply(ctx, b.batch(*bad))
	if !errors.Is(err, store.ErrRejected) {
		return err
	}
	for _, one := range b {
		err := c.apply(ctx, parsed{one}.batch(nil))
		switch {
		case errors.Is(err, store.ErrRejected):
			*bad = append(*bad, rejected{one.message, err.Error()})
		case err != nil:
			return err
		}
	}
	return c.apply(ctx, parsed(nil).batch(*bad))
}

// apply stores one batch. It retries on all errors except ErrRejected until ctx is done.
func (c *Consumer) apply(ctx context.Context, b store.Batch) error {
	for wait := newBackoff(); ; {
		got, err := c.store.Apply(ctx, b)
		if err == nil {
			c.metrics.stored(got)
			c.setProblem("")
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, store.ErrRejected) {
			return err
		}
		c.metrics.retries.Add(1)
		c.setProblem(err.Error())
		c.config.Log.Warn("cannot write to the database, retrying; nothing is committed meanwhile", zap.Error(err))
		if err := wait.sleep(ctx); err != nil {
			return err
		}
	}
}

// sendDead sends rejected records to the dead-letter topic. They are already in the database; the topic is for other consumers.
func (c *Consumer) sendDead(ctx context.Context, all []rejected) error {
	for _, l := range all {
		c.config.Log.Warn("record rejected", zap.String("topic", l.message.Topic), zap.Int("partition", l.message.Partition),
			zap.Int64("offset", l.message.Offset), zap.String("reason", l.reason))
		for wait := newBackoff(); ; {
			err := c.dead.Send(ctx, l.message, l.reason)
			if err == nil {
				c.metrics.deadSent.Add(1)
				break
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, ErrUndeliverable) {
				c.metrics.deadUndelivered.Add(1)
				c.config.Log.Error("rejected record is in the database only", zap.Error(err))
				break
			}
			err = c.config.Explain(err)
			c.setProblem(err.Error())
			c.config.Log.Warn("cannot send to the dead-letter topic, retrying", zap.Error(err))
			if err := wait.sleep(ctx); err != nil {
				return err
			}
		}
	}
	if len(all) > 0 {
		c.setProblem("")
	}
	return nil
}

// backoff is an exponential backoff with jitter, so that collectors do not retry all at once.
type backoff struct{ next time.Duration }

const firstWait, longestWait = 50 * time.Millisecond, 5 * time.Second

func newBackoff() *backoff { return &backoff{firstWait} }

func (b *backoff) reset() { b.next = firstWait }

func (b *backoff) sleep(ctx context.Context) error {
	d := b.next/2 + rand.N(b.next)
	b.next = min(b.next*2, longestWait)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
