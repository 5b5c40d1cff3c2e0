// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// Lag looks at how far the group is behind, and so at whether Kafka can be reached at all: a group reader does not tell.
type Lag struct {
	Client  *kafka.Client
	Group   string
	Topics  []string
	Every   time.Duration // 0: 5 s
	Metrics *Metrics
	Explain func(error) error // what an error means for whoever runs the brokers; nil: as it is

	mu      sync.Mutex
	looked  bool
	total   int64
	trouble string
}

// Run looks until ctx is done.
func (l *Lag) Run(ctx context.Context) error {
	every := l.Every
	if every == 0 {
		every = 5 * time.Second
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		l.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Now gives the sum over all partitions as it was last seen; trouble says why it is not known, "" when it is.
func (l *Lag) Now() (records int64, trouble string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.looked {
		return 0, "Kafka: not asked yet"
	}
	return l.total, l.trouble
}

func (l *Lag) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	total, err := l.sum(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looked, l.total, l.trouble = true, total, ""
	if err != nil {
		if l.Explain != nil {
			err = l.Explain(err)
		}
		l.trouble = fmt.Sprintf("Kafka: %v", err)
		l.Metrics.lagErrors.Inc()
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

// compare gives the sum of what lies between the committed offsets, or the begin of a partition, and its end.
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
				return 0, fmt.Errorf("group %s, topic %s partition %d: Kafka does not tell what is committed", l.Group, topic, p.Partition)
			}
			n := max(p.LastOffset-max(committed[p.Partition], p.FirstOffset), 0)
			l.Metrics.setLag(topic, p.Partition, n)
			total += n
		}
	}
	return total, nil
}
