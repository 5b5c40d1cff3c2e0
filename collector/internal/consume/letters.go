// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// Topic sends dead letters to a topic of Kafka, with partition 0 and acks=all.
type Topic struct {
	Client *kafka.Client
	Name   string
}

// maxLetter is how much of a record that is too large for the topic is sent.
const maxLetter = 64 << 10

// Send is described at Letters. The value and the headers of the record stay as they were; sw_dead_reason, sw_dead_topic,
// sw_dead_partition and sw_dead_offset tell why and from where. A value that the topic does not take whole is cut, and
// sw_dead_size has its length.
func (t *Topic) Send(ctx context.Context, m kafka.Message, reason string) error {
	err := t.produce(ctx, m, reason, m.Value)
	if errors.Is(err, kafka.MessageSizeTooLarge) && len(m.Value) > maxLetter {
		m.Headers = nil // they may be what is too large
		err = t.produce(ctx, m, reason, m.Value[:maxLetter])
	}
	var code kafka.Error
	if errors.As(err, &code) && !code.Temporary() || errors.Is(err, kafka.UnknownTopicOrPartition) {
		return fmt.Errorf("%w: topic %s: %w", ErrUndeliverable, t.Name, err)
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", t.Name, err)
	}
	return nil
}

func (t *Topic) produce(ctx context.Context, m kafka.Message, reason string, value []byte) error {
	headers := slices.Concat(m.Headers, []kafka.Header{
		{Key: "sw_dead_reason", Value: []byte(reason)},
		{Key: "sw_dead_topic", Value: []byte(m.Topic)},
		{Key: "sw_dead_partition", Value: strconv.AppendInt(nil, int64(m.Partition), 10)},
		{Key: "sw_dead_offset", Value: strconv.AppendInt(nil, m.Offset, 10)},
		{Key: "sw_dead_size", Value: strconv.AppendInt(nil, int64(len(m.Value)), 10)},
	})
	res, err := t.Client.Produce(ctx, &kafka.ProduceRequest{Topic: t.Name, Partition: 0, RequiredAcks: kafka.RequireAll, Compression: kafka.Zstd,
		Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(value), Headers: headers})})
	if err != nil {
		return err
	}
	return res.Error
}
