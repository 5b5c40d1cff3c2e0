// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/zap"

	"stillwatch/collector/internal/queue"
	"stillwatch/schemas"
)

// Topics gives what the collector reads.
func Topics() []string { return []string{schemas.AlertTopic, schemas.DeviceTopic} }

// NewReader joins the group. Partitions that nobody has committed yet are read from their begin.
func NewReader(l *queue.Link, group string, log *zap.Logger) Reader {
	sugar := log.Sugar()
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: l.Brokers(), Dialer: l.Dialer("stillwatch-collector"), GroupID: group, GroupTopics: Topics(), StartOffset: kafka.FirstOffset,
		// RoundRobin spreads the partitions of both topics; a range would give one collector the low numbers of each.
		GroupBalancers: []kafka.GroupBalancer{kafka.RoundRobinGroupBalancer{}},
		QueueCapacity:  1000, MaxBytes: 8 << 20, MaxWait: 250 * time.Millisecond,
		HeartbeatInterval: 2 * time.Second, SessionTimeout: 15 * time.Second, RebalanceTimeout: 15 * time.Second, JoinGroupBackoff: 2 * time.Second,
		WatchPartitionChanges: true, PartitionWatchInterval: 10 * time.Second,
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) { sugar.Debugf("kafka: "+format, args...) }),
	})
}
