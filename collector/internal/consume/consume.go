// SPDX-License-Identifier: Apache-2.0

// Package consume brings records from Kafka into the store: fetch, validate, store, and only then commit. A record that
// cannot be accepted goes to the dead letters, and those after it go on. What is stored twice is stored once, because the
// store knows (id, revision): so a crash between store and commit, or a partition that changes hands, does no harm.
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
)

// Reader is what a group reader of Kafka does for the consumer.
type Reader interface {
	FetchMessage(ctx context.Context) (kafka.Message, error)
	CommitMessages(ctx context.Context, msgs ...kafka.Message) error
	Close() error
}

// Letters takes what could not be accepted.
type Letters interface {
	// Send returns nil when the letter is kept, ErrUndeliverable when it never will be, another error when it may be later.
	Send(ctx context.Context, m kafka.Message, reason string) error
}

// ErrUndeliverable is for a dead letter that the topic will never take. The store has it all the same.
var ErrUndeliverable = errors.New("the dead-letter topic does not take it")

// Config says how records are gathered.
type Config struct {
	Batch  int           // most records in one transaction; 0: 4000
	Linger time.Duration // how long a batch waits for more; 0: 20 ms
	Log    *zap.Logger   // nil: none
	// Explain tells what an error of Kafka means for whoever runs it; nil: as it is.
	Explain func(error) error
}

// Consumer moves records from one reader to one store.
type Consumer struct {
	reader  Reader
	store   store.Ingest
	letters Letters
	config  Config
	metrics *Metrics

	mu      sync.Mutex
	trouble string // why nothing is stored now, "" when all is well
}

// New makes a consumer. It owns the reader from now on.
func New(c Config, r Reader, s store.Ingest, l Letters, m *Metrics) *Consumer {
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
	return &Consumer{reader: r, store: s, letters: l, config: c, metrics: m}
}

// Trouble tells why nothing is stored now, "" when all is well.
func (c *Consumer) Trouble() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trouble
}

// Close leaves the group, where Run was never called; Run does it by itself.
func (c *Consumer) Close() error { return c.reader.Close() }

func (c *Consumer) setTrouble(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = s
}

// Run consumes until ctx is done, and returns nil then. A batch that is being stored is finished and committed first, within
// stopTime; what was fetched and not stored comes again.
func (c *Consumer) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fetched := make(chan kafka.Message, c.config.Batch)
	failed := make(chan error, 1)
	go func() { failed <- c.fetch(ctx, fetched) }()
	ready := make(chan work, 1) // the next batch is validated while this one is stored
	go c.prepare(ctx, fetched, ready)
	var err error
	for w := range ready {
		if ctx.Err() != nil {
			continue // not stored, not committed: it comes again
		}
		if err = c.handle(ctx, w); err != nil {
			cancel()
		}
	}
	return errors.Join(ignoreEnd(err), <-failed, c.reader.Close())
}

// work is a batch and what was read from it.
type work struct {
	batch   []kafka.Message
	good    parsed
	letters []letter
}

// prepare gathers and validates until there is nothing more.
func (c *Consumer) prepare(ctx context.Context, in <-chan kafka.Message, out chan<- work) {
	defer close(out)
	for {
		batch := c.gather(ctx, in)
		if len(batch) == 0 {
			return
		}
		w := work{batch: batch}
		w.good, w.letters = parse(batch)
		out <- w
	}
}

func ignoreEnd(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// fetch hands messages on until ctx is done. Errors of the broker pass: the reader goes on by itself.
func (c *Consumer) fetch(ctx context.Context, out chan<- kafka.Message) error {
	defer close(out)
	for wait := newBackoff(); ; {
		m, err := c.reader.FetchMessage(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return nil
		case err != nil:
			c.metrics.fetchErrors.Inc()
			err = c.config.Explain(err)
			c.setTrouble(fmt.Sprintf("Kafka: %v", err))
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

// gather waits for a message and takes those that come within the linger time; none when it is over.
func (c *Consumer) gather(ctx context.Context, in <-chan kafka.Message) []kafka.Message {
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

// stopTime is how long the batch in hand may take after the end was asked for.
const stopTime = 10 * time.Second

// handle stores a batch and commits it. It returns only when both are done, or ctx has ended and stopTime is over.
func (c *Consumer) handle(ctx context.Context, w work) error {
	grace, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(stopTime, cancel) })
	defer stop()

	began := time.Now()
	if err := c.keep(grace, w.good, &w.letters); err != nil {
		return err
	}
	c.metrics.storeSeconds.Observe(time.Since(began).Seconds())
	if err := c.send(grace, w.letters); err != nil {
		return err
	}
	c.metrics.read(w.batch)
	if err := c.reader.CommitMessages(grace, w.batch...); err != nil {
		// The partition may have changed hands: who has it now reads these again and finds them stored.
		c.metrics.commitErrors.Inc()
		c.config.Log.Warn("cannot commit: these records will be read again", zap.Int("records", len(w.batch)), zap.Error(err))
	}
	return nil
}

// keep stores b, however long it takes. A batch that the store refuses for good is stored record by record, and what is
// refused then is a dead letter.
func (c *Consumer) keep(ctx context.Context, b parsed, letters *[]letter) error {
	err := c.apply(ctx, b.batch(*letters))
	if !errors.Is(err, store.ErrRefused) {
		return err
	}
	for _, one := range b {
		err := c.apply(ctx, parsed{one}.batch(nil))
		switch {
		case errors.Is(err, store.ErrRefused):
			*letters = append(*letters, letter{one.message, err.Error()})
		case err != nil:
			return err
		}
	}
	return c.apply(ctx, parsed(nil).batch(*letters))
}

// apply stores one batch, and tries again whatever is wrong with the database, until ctx is done or the batch is refused.
func (c *Consumer) apply(ctx context.Context, b store.Batch) error {
	for wait := newBackoff(); ; {
		got, err := c.store.Apply(ctx, b)
		if err == nil {
			c.metrics.stored(got)
			c.setTrouble("")
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, store.ErrRefused) {
			return err
		}
		c.metrics.retries.Inc()
		c.setTrouble(err.Error())
		c.config.Log.Warn("the database cannot be written: trying again, nothing is committed meanwhile", zap.Error(err))
		if err := wait.sleep(ctx); err != nil {
			return err
		}
	}
}

// send hands the dead letters on. The store has them already; the topic is for those who watch it.
func (c *Consumer) send(ctx context.Context, letters []letter) error {
	for _, l := range letters {
		c.config.Log.Warn("dead letter", zap.String("topic", l.message.Topic), zap.Int("partition", l.message.Partition),
			zap.Int64("offset", l.message.Offset), zap.String("reason", l.reason))
		for wait := newBackoff(); ; {
			err := c.letters.Send(ctx, l.message, l.reason)
			if err == nil {
				c.metrics.deadSent.Inc()
				break
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, ErrUndeliverable) {
				c.metrics.deadUndelivered.Inc()
				c.config.Log.Error("the dead letter is in the database only", zap.Error(err))
				break
			}
			err = c.config.Explain(err)
			c.setTrouble(err.Error())
			c.config.Log.Warn("cannot send a dead letter: trying again", zap.Error(err))
			if err := wait.sleep(ctx); err != nil {
				return err
			}
		}
	}
	if len(letters) > 0 {
		c.setTrouble("")
	}
	return nil
}

// backoff waits longer each time, with jitter, so that collectors do not come back all at once.
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
