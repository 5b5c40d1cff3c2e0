// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/zap"

	"stillwatch/collector/internal/queue"
	"stillwatch/schemas"
)

// Topics returns the topics that the collector reads.
func Topics() []string {
	return []string{schemas.AlertTopic, schemas.IncidentTopic, schemas.DeviceTopic, schemas.EvidenceTopic, schemas.StatusTopic}
}

// waitEvery is how often the reader checks for missing topics.
const waitEvery = time.Second

// NewReader returns a reader that joins the group at the first fetch, once the topics exist. Partitions without a committed offset are
// read from the start.
func NewReader(l *queue.Link, group string, log *zap.Logger) Reader {
	return &reader{link: l, group: group, log: log}
}

// reader joins the group at the first fetch. FetchMessage and CommitMessages must have one caller and end before Close.
type reader struct {
	link  *queue.Link
	group string
	log   *zap.Logger
	*kafka.Reader
}

// FetchMessage implements Reader.
func (r *reader) FetchMessage(ctx context.Context) (kafka.Message, error) {
	if r.Reader == nil {
		if err := r.link.Wait(ctx, Topics(), waitEvery); err != nil {
			return kafka.Message{}, err
		}
		r.Reader = join(r.link, r.group, r.log)
	}
	return r.Reader.FetchMessage(ctx)
}

// Close implements Reader.
func (r *reader) Close() error {
	if r.Reader == nil {
		return nil
	}
	return r.Reader.Close()
}

func join(l *queue.Link, group string, log *zap.Logger) *kafka.Reader {
	sugar := log.Sugar()
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: l.Brokers(), Dialer: l.Dialer("stillwatch-collector"), GroupID: group, GroupTopics: Topics(), StartOffset: kafka.FirstOffset,
		// RoundRobin spreads the partitions of all topics; a range balancer would assign the low partitions of each to one collector.
		GroupBalancers: []kafka.GroupBalancer{kafka.RoundRobinGroupBalancer{}},
		QueueCapacity:  1000, MaxBytes: 8 << 20, MaxWait: 250 * time.Millisecond,
		HeartbeatInterval: 2 * time.Second, SessionTimeout: 10 * time.Second, RebalanceTimeout: 10 * time.Second, JoinGroupBackoff: 2 * time.Second,
		WatchPartitionChanges: true, PartitionWatchInterval: 10 * time.Second,
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) { sugar.Debugf("kafka: "+format, args...) }),
	})
}
