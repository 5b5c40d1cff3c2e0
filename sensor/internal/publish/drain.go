// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"stillwatch/internal/panics"
)

// The pauses after a failure double from firstPause to lastPause. Each is shortened by up to half at random, so that many sensors do not retry
// at the same moment.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
)

// batchRecords bounds the records in flight: a batch must be delivered before the next one is sent.
const batchRecords = 4000

// Drain sends what is in a spool to Kafka, in order for each key, at least once.
type Drain struct {
	spool       *Spool
	cfg         KafkaConfig
	deadLetters *deadLetterFile
	onError     func(error)

	mu    sync.Mutex
	stats DrainStats

	client     *kafka.Client // nil after a failure: the next attempt reads the metadata again
	transport  *kafka.Transport
	clockTold  bool             // refused time stamps were reported
	topics     []string         // topics that were sent to
	partitions map[string][]int // by topic
}

// DrainStats is the counters and the current fault of a drain.
type DrainStats struct {
	Produced map[string]uint64 // records that were acknowledged, by topic
	Errors   map[Cause]uint64  // attempts that failed
	Rejected uint64            // records that every broker rejected and that were written to the dead-letter file
	Fault    error             // why records cannot be delivered now, a *DeliveryError; nil if they can
}

// NewDrain returns a drain for a spool. The error is about files that the configuration names. onError is called with a *DeliveryError when a new
// kind of fault begins, and with nil when it is over.
func NewDrain(spool *Spool, cfg KafkaConfig, onError func(error)) (*Drain, error) {
	cfg = cfg.withDefaults()
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("kafka: no brokers are configured")
	}
	if _, err := cfg.transport(nil); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	if onError == nil {
		onError = func(error) {}
	}
	return &Drain{spool: spool, cfg: cfg, deadLetters: newDeadLetterFile(spool.dir), onError: onError,
		stats: DrainStats{Produced: map[string]uint64{}, Errors: map[Cause]uint64{}}}, nil
}

// Stats returns the current counters.
func (d *Drain) Stats() DrainStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.Produced, s.Errors = maps.Clone(s.Produced), maps.Clone(s.Errors)
	return s
}

// Run sends records until ctx ends or the spool is closed. Errors are reported through onError, counted, and retried.
func (d *Drain) Run(ctx context.Context) {
	defer d.disconnect()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := make(chan []Record)
	var unread error
	go func() { // reads the next batch while the current one is sent
		defer close(batches)
		unread = withRecovery("reader of the spool", func() error {
			d.read(ctx, batches)
			return nil
		})
	}()
	err := withRecovery("publisher", func() error {
		d.deliver(ctx, batches)
		return nil
	})
	cancel()
	for range batches { // until the reader has ended
	}
	if err = cmp.Or(err, unread); err != nil {
		d.note(err) // and it stays: what is in the spool is sent after the next start
	}
}

// read reads batches until ctx ends or the spool is closed.
func (d *Drain) read(ctx context.Context, batches chan<- []Record) {
	for b := d.spool.Next(ctx, batchRecords); b != nil; b = d.spool.Next(ctx, batchRecords) {
		select {
		case batches <- b:
		case <-ctx.Done():
			return
		}
	}
}

// withRecovery calls f and returns its error as a *DeliveryError, also if f panics.
func withRecovery(part string, f func() error) error {
	err := panics.ToError(part, f)
	var e *DeliveryError
	if err != nil && !errors.As(err, &e) {
		return &DeliveryError{Cause: CauseOther, Text: err.Error(), Err: err}
	}
	return err
}

// note stores the current fault, and reports a change.
func (d *Drain) note(err error) {
	d.mu.Lock()
	was := d.stats.Fault
	d.stats.Fault = err
	var now *DeliveryError
	if errors.As(err, &now) {
		d.stats.Errors[now.Cause]++
	}
	d.mu.Unlock()
	var before *DeliveryError
	if errors.As(was, &before) && now != nil && before.Cause == now.Cause || was == nil && err == nil {
		return // already reported
	}
	d.onError(err)
}

func (d *Drain) disconnect() {
	if d.transport != nil {
		d.transport.CloseIdleConnections()
	}
	d.client, d.transport, d.partitions = nil, nil, nil
}

func (d *Drain) connect() error {
	if d.client != nil {
		return nil
	}
	t, err := d.cfg.transport(d.topics)
	if err != nil {
		return &DeliveryError{Cause: CauseOther, Text: "kafka: " + err.Error(), Err: err}
	}
	d.transport = t
	d.client = &kafka.Client{Addr: kafka.TCP(d.cfg.Brokers...), Timeout: d.cfg.Timeout, Transport: t}
	d.partitions = map[string][]int{}
	return nil
}

// partitionBatch is the records for one partition of a topic, in order.
type partitionBatch struct {
	topic     string
	partition int
	records   []Record
	untimed   error // why the records are sent without a time; nil if they have it
}

// attempt sends records, to all partitions in parallel. It returns the records that were not delivered, in order, and the errors by topic.
func (d *Drain) attempt(ctx context.Context, records []Record) ([]Record, map[string]error) {
	byPartition, left, failed := d.byPartition(ctx, records)
	errs := make([]error, len(byPartition))
	var w sync.WaitGroup
	for i, l := range byPartition {
		w.Go(func() { errs[i] = withRecovery("sender of records", func() error { return d.send(ctx, l) }) })
	}
	w.Wait()
	d.reportClock(byPartition)
	for i, l := range byPartition {
		left = append(left, l.records...)
		if errs[i] != nil && failed[l.topic] == nil {
			failed[l.topic] = errs[i]
		}
	}
	slices.SortFunc(left, func(a, b Record) int { return cmp.Compare(a.Index, b.Index) })
	return left, failed
}

// byPartition assigns the records to partitions by the hash of the Java producer, so that a key has the same partition for every client. It returns
// the records of topics that cannot be reached in left.
func (d *Drain) byPartition(ctx context.Context, records []Record) (all []*partitionBatch, left []Record, failed map[string]error) {
	failed = map[string]error{}
	places := map[string][]*partitionBatch{}
	hash := kafka.Murmur2Balancer{Consistent: true}
	d.meet(records)
	var broken error // an error that affects all topics
	for _, r := range records {
		to, known := places[r.Topic]
		if !known {
			n, err := 0, broken
			if err == nil {
				n, err = d.learn(ctx, r.Topic)
			}
			if err != nil {
				failed[r.Topic] = err
				if !ofTopic(err) {
					broken = err
				}
			}
			to = make([]*partitionBatch, n)
			places[r.Topic] = to
		}
		if len(to) == 0 {
			left = append(left, r)
			continue
		}
		p := hash.Balance(kafka.Message{Key: []byte(r.Key)}, d.partitions[r.Topic]...)
		if to[p] == nil {
			to[p] = &partitionBatch{topic: r.Topic, partition: p}
			all = append(all, to[p])
		}
		to[p].records = append(to[p].records, r)
	}
	return all, left, failed
}

// meet disconnects if there are topics that were never sent to, because the metadata of a connection covers only the topics it was opened for.
func (d *Drain) meet(records []Record) {
	for i := range records {
		if t := records[i].Topic; !slices.Contains(d.topics, t) {
			d.topics = append(d.topics, t)
			d.disconnect()
		}
	}
}

// ofTopic reports whether an error concerns only its topic.
func ofTopic(err error) bool {
	var e *DeliveryError
	return errors.As(err, &e) && (e.Cause == CauseNoTopic || e.Cause == CauseAuthorization || e.Cause == CauseLeader || e.Cause == CauseReplicas)
}

// learn returns the number of partitions of a topic.
func (d *Drain) learn(ctx context.Context, topic string) (int, error) {
	if err := d.connect(); err != nil {
		return 0, err
	}
	if n := len(d.partitions[topic]); n > 0 {
		return n, nil
	}
	m, err := d.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, d.cfg.explain(topic, err)
	}
	for _, got := range m.Topics {
		switch {
		case got.Name != topic:
		case got.Error != nil:
			return 0, d.cfg.explain(topic, got.Error)
		case len(got.Partitions) > 0:
			for i := range got.Partitions {
				d.partitions[topic] = append(d.partitions[topic], i)
			}
			return len(got.Partitions), nil
		}
	}
	return 0, d.cfg.explain(topic, kafka.UnknownTopicOrPartition)
}

// send sends the records of a batch in requests of bounded size, and removes the delivered ones from the batch.
func (d *Drain) send(ctx context.Context, l *partitionBatch) error {
	most := len(l.records)
	for len(l.records) > 0 {
		part := l.records[:min(most, d.fitting(l.records))]
		err := d.produce(ctx, l, part)
		var e *DeliveryError
		switch {
		case err == nil:
			d.count(l.topic, len(part))
		case errors.As(err, &e) && e.Cause == CauseTooLarge && len(part) > 1:
			most = len(part) / 2
			continue
		case errors.As(err, &e) && e.Cause == CauseClock && l.untimed == nil:
			l.untimed = err
			continue
		case errors.As(err, &e) && e.Cause == CauseTooLarge:
			if err := d.reject(&part[0], e.Cause, e.Text); err != nil {
				return &DeliveryError{Cause: CauseOther, Topic: l.topic, Text: "dead-letter file: " + err.Error(), Err: err}
			}
		default:
			return err
		}
		l.records = l.records[len(part):]
	}
	return nil
}

// reject writes a record that can never be delivered to the dead-letter file. If that is full, the record is dropped.
func (d *Drain) reject(r *Record, cause Cause, why string) error {
	err := d.deadLetters.add(r, why)
	switch {
	case errors.Is(err, errDeadLetterFull):
		d.spool.countDropped(r.Rank)
	case err != nil:
		return err
	default:
		d.countRejected(cause)
	}
	return nil
}

// reportClock reports that brokers refuse the time stamps of records, once until they accept them again.
func (d *Drain) reportClock(byPartition []*partitionBatch) {
	var why error
	for _, l := range byPartition {
		if l.untimed != nil {
			why = l.untimed
		}
	}
	if why != nil {
		d.mu.Lock()
		d.stats.Errors[CauseClock]++
		d.mu.Unlock()
		if !d.clockTold {
			d.onError(why)
		}
	}
	d.clockTold = why != nil
}

// fitting returns how many records fit into one request, at least one.
func (d *Drain) fitting(records []Record) int {
	size := 0
	for i := range records {
		if size += len(records[i].Value) + len(records[i].Key) + 400; size > d.cfg.MaxBytes && i > 0 {
			return i
		}
	}
	return len(records)
}

func (d *Drain) count(topic string, n int) {
	d.mu.Lock()
	d.stats.Produced[topic] += uint64(n)
	d.mu.Unlock()
}

func (d *Drain) countRejected(cause Cause) {
	d.mu.Lock()
	d.stats.Rejected++
	d.stats.Errors[cause]++
	d.mu.Unlock()
}

func (d *Drain) produce(ctx context.Context, l *partitionBatch, part []Record) error {
	out := make([]kafka.Record, len(part))
	for i := range part {
		r := &part[i]
		out[i] = kafka.Record{Time: time.Unix(0, r.At), Key: kafka.NewBytes([]byte(r.Key)), Value: kafka.NewBytes(r.Value), Headers: make([]kafka.Header, len(r.Headers))}
		if l.untimed != nil {
			out[i].Time = time.UnixMilli(-1) // Kafka's number for no time
		}
		for j, h := range r.Headers {
			out[i].Headers[j] = kafka.Header{Key: h.Key, Value: []byte(h.Value)}
		}
	}
	res, err := d.client.Produce(ctx, &kafka.ProduceRequest{Topic: l.topic, Partition: l.partition, RequiredAcks: kafka.RequireAll,
		Compression: kafka.Zstd, Records: kafka.NewRecordReader(out...)})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return d.cfg.explain(l.topic, err)
	}
	return nil
}

// Describe returns the destination of the drain.
func (d *Drain) Describe() string { return "kafka " + strings.Join(d.cfg.Brokers, ",") }
