// SPDX-License-Identifier: Apache-2.0

// Package subscribe reads a compacted topic of Kafka from its beginning, all partitions of it, and then what is added. It belongs to no consumer
// group and commits nothing: each sensor reads everything, at each start.
package subscribe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"stillwatch/internal/panics"
	"stillwatch/sensor/internal/publish"
)

// Config configures a subscription.
type Config struct {
	Kafka publish.KafkaConfig
	Topic string
	// Deliver gets the values of new messages, in the order of their partition. The first call for a partition has only the last message of each
	// key, so that a record that a newer one has replaced is not delivered before it. An error of Deliver ends the subscription.
	Deliver func(ctx context.Context, values [][]byte) error
	// Report is called with an error that is new, and with nil when the topic can be read again.
	Report func(error)
}

const (
	maxPending = 500              // messages that are delivered within a second
	quiet      = 10 * time.Second // without a message after which the beginning of a partition is over
	firstRetry = time.Second      // after an error; doubled up to lastRetry
	lastRetry  = 30 * time.Second
)

// Run reads the topic until ctx ends. While the brokers are away or the topic is missing it tries again.
func Run(ctx context.Context, c Config) error {
	d, err := c.Kafka.Dialer()
	if err != nil {
		return err
	}
	wait, last := firstRetry, ""
	for ctx.Err() == nil {
		began := time.Now()
		err := c.read(ctx, d)
		var fatal *deliverError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &fatal):
			return fatal.err
		case err.Error() != last:
			last = err.Error()
			c.Report(fmt.Errorf("topic %s: %w", c.Topic, err))
		}
		if time.Since(began) > lastRetry {
			wait = firstRetry
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, lastRetry)
	}
	return nil
}

type deliverError struct{ err error }

func (e *deliverError) Error() string { return e.err.Error() }

// read reads all partitions until one of them fails.
func (c Config) read(ctx context.Context, d *kafka.Dialer) error {
	parts, err := c.partitions(ctx, d)
	if err != nil {
		return err
	}
	c.Report(nil)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, len(parts))
	for _, p := range parts {
		go func() { failed <- panics.ToError("reader of "+c.Topic, func() error { return c.partition(ctx, d, p) }) }()
	}
	err = <-failed
	cancel()
	for range len(parts) - 1 {
		if other := <-failed; err == nil { // the first one ended the others
			err = other
		}
	}
	return err
}

// partitions asks the brokers in turn.
func (c Config) partitions(ctx context.Context, d *kafka.Dialer) (ids []int, err error) {
	err = errors.New("no broker is configured")
	for _, b := range c.Kafka.Brokers {
		var all []kafka.Partition
		if all, err = d.LookupPartitions(ctx, "tcp", b, c.Topic); err != nil {
			continue
		}
		for _, p := range all {
			if p.Topic == c.Topic {
				ids = append(ids, p.ID)
			}
		}
		if len(ids) > 0 {
			return ids, nil
		}
		err = errors.New("the topic does not exist")
	}
	return nil, err
}

// partition reads one partition: first what is there, of which the last message of each key counts, then what is added.
func (c Config) partition(ctx context.Context, d *kafka.Dialer, id int) error {
	end, err := c.end(ctx, d, id)
	if err != nil {
		return err
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: c.Kafka.Brokers, Dialer: d, Topic: c.Topic, Partition: id, MaxBytes: 8 << 20, MaxWait: 500 * time.Millisecond,
		MaxAttempts: 3, QueueCapacity: 100})
	defer func() { _ = r.Close() }()
	b, pace := &beginning{place: map[string]int{}}, &pace{}
	for at := int64(0); at < end && len(b.values) < maxBeginning; {
		m, err := fetch(ctx, r)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			break // compaction has removed the rest
		}
		if err != nil {
			return err
		}
		b.add(m)
		at = m.Offset + 1
	}
	values := slices.DeleteFunc(b.values, func(v []byte) bool { return len(v) == 0 }) // tombstones delete a key
	for part := range slices.Chunk(values, maxPending) {
		if err := c.deliver(ctx, pace, part); err != nil {
			return err
		}
	}
	for {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return err
		}
		if len(m.Value) == 0 {
			continue
		}
		if err := c.deliver(ctx, pace, [][]byte{m.Value}); err != nil {
			return err
		}
	}
}

// end returns the offset behind the last message of a partition, 0 if there is none.
func (c Config) end(ctx context.Context, d *kafka.Dialer, id int) (last int64, err error) {
	err = errors.New("no broker is configured")
	for _, b := range c.Kafka.Brokers {
		var leader *kafka.Conn
		if leader, err = d.DialLeader(ctx, "tcp", b, c.Topic, id); err != nil {
			continue
		}
		first, last, err := leader.ReadOffsets()
		if err = errors.Join(err, leader.Close()); err != nil || first == last {
			return 0, err
		}
		return last, nil
	}
	return 0, err
}

// fetch returns the next message. It waits only for a while.
func fetch(ctx context.Context, r *kafka.Reader) (kafka.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	return r.ReadMessage(ctx)
}

// maxBeginning bounds the messages that are kept until the beginning of a partition has been read.
const maxBeginning = 20_000

// beginning collects the last message of each key, in the order of these messages.
type beginning struct {
	values [][]byte
	place  map[string]int // of a key in values
}

func (b *beginning) add(m kafka.Message) {
	if i, ok := b.place[string(m.Key)]; ok && len(m.Key) > 0 {
		b.values[i] = nil
	}
	b.place[string(m.Key)] = len(b.values)
	b.values = append(b.values, m.Value)
}

// pace counts what was delivered since a time.
type pace struct {
	since time.Time
	n     int
}

// deliver passes on values, at most maxPending a second: somebody who fills the topic must not keep the sensor busy.
func (c Config) deliver(ctx context.Context, p *pace, values [][]byte) error {
	if now := time.Now(); now.Sub(p.since) >= time.Second {
		p.since, p.n = now, 0
	}
	if p.n += len(values); p.n > maxPending {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(p.since.Add(time.Second))):
		}
		p.since, p.n = time.Now(), len(values)
	}
	if err := c.Deliver(ctx, values); err != nil {
		return &deliverError{err}
	}
	return nil
}
