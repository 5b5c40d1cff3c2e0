// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// Lag measures the consumer lag of the group. It also detects whether Kafka is reachable, which a group reader does not report.
type Lag struct {
	Client  *kafka.Client
	Group   string
	Topics  []string
	Every   time.Duration // 0: 5 s
	Metrics *Metrics
	Explain func(error) error // converts an error to one that says what to do; nil: unchanged

	mu      sync.Mutex
	known   bool
	total   int64
	problem string
}

// Run measures until ctx is done.
func (l *Lag) Run(ctx context.Context) error {
	every := l.Every
	if every == 0 {
		every = 5 * time.Second
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		l.measure(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Now returns the latest sum over all partitions. problem says why it is not known, "" if it is.
func (l *Lag) Now() (records int64, problem string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known {
		return 0, "Kafka: lag not measured yet"
	}
	return l.total, l.problem
}

func (l *Lag) measure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	total, err := l.sum(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.total, l.problem = true, total, ""
	if err != nil {
		if l.Explain != nil {
			err = l.Explain(err)
		}
		l.problem = fmt.Sprintf("Kafka: %v", err)
		l.Metrics.lagErrors.Add(1)
	}
}

func (l *Lag) sum(ctx context.Context) (int64, error) {
	meta, err := l.Client.Metadata(ctx, &kafka.MetadataRequest{Topics: l.Topics})
	if err != nil {
		return 0, err
	}
	ends, asked := map[string][]kafka.OffsetRequest{}, map[string][]int{}
	for _, t := range meta.Topics {
		if t.Error != nil {
			return 0, fmt.Errorf("topic %s: %w", t.Name, t.Error)
		}
		for _, p := range t.Partitions {
			ends[t.Name] = append(ends[t.Name], kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
			asked[t.Name] = append(asked[t.Name], p.ID)
		}
	}
	have, err := l.Client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: ends})
	if err != nil {
		return 0, err
	}
	done, err := l.Client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: l.Group, Topics: asked})
	if err == nil {
		err = done.Error
	}
	if err != nil {
		return 0, fmt.Errorf("group %s: %w", l.Group, err)
	}
	return l.compare(have, done)
}

// compare sums the records between the committed offset, or the start of a partition, and its end.
func (l *Lag) compare(have *kafka.ListOffsetsResponse, done *kafka.OffsetFetchResponse) (total int64, err error) {
	for topic, partitions := range have.Topics {
		committed := map[int]int64{}
		for _, p := range done.Topics[topic] {
			if p.Error != nil {
				return 0, fmt.Errorf("group %s, topic %s partition %d: %w", l.Group, topic, p.Partition, p.Error)
			}
			committed[p.Partition] = p.CommittedOffset
		}
		for _, p := range partitions {
			if p.Error != nil {
				return 0, fmt.Errorf("topic %s partition %d: %w", topic, p.Partition, p.Error)
			}
			if _, ok := committed[p.Partition]; !ok {
				return 0, fmt.Errorf("group %s, topic %s partition %d: Kafka did not return a committed offset", l.Group, topic, p.Partition)
			}
			n := max(p.LastOffset-max(committed[p.Partition], p.FirstOffset), 0)
			l.Metrics.setLag(topic, p.Partition, n)
			total += n
		}
	}
	return total, nil
}
