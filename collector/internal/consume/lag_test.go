// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"errors"
	"testing"

	"github.com/segmentio/kafka-go"
)

// TestLagOfFailedPartitionIsUnknown checks that an error of one partition makes the lag unknown.
func TestLagOfFailedPartitionIsUnknown(t *testing.T) {
	l := &Lag{Group: "g", Metrics: newMetrics()}
	have := &kafka.ListOffsetsResponse{Topics: map[string][]kafka.PartitionOffsets{"t": {{Partition: 0, LastOffset: 9}, {Partition: 1, LastOffset: 7}}}}
	answer := func(p ...kafka.OffsetFetchPartition) *kafka.OffsetFetchResponse {
		return &kafka.OffsetFetchResponse{Topics: map[string][]kafka.OffsetFetchPartition{"t": p}}
	}
	good := kafka.OffsetFetchPartition{Partition: 0, CommittedOffset: 4}
	if n, err := l.compare(have, answer(good, kafka.OffsetFetchPartition{Partition: 1, CommittedOffset: -1})); n != 12 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := l.compare(have, answer(good, kafka.OffsetFetchPartition{Partition: 1, Error: kafka.NotCoordinatorForGroup})); !errors.Is(err, kafka.NotCoordinatorForGroup) {
		t.Errorf("a partition that fails: %v", err)
	}
	if _, err := l.compare(have, answer(good)); err == nil {
		t.Error("a partition that is left out")
	}
}
