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

// DeadLetterTopic sends rejected records to partition 0 of a Kafka topic, with acks=all.
type DeadLetterTopic struct {
	Client *kafka.Client
	Name   string
}

// maxDeadValue is the length to which the value of a record is truncated if it is too large for the topic.
const maxDeadValue = 64 << 10

// Send implements DeadLetterQueue. It keeps the value and headers of the record and adds headers: sw_dead_reason is the reason,
// sw_dead_topic, sw_dead_partition and sw_dead_offset the origin, and sw_dead_size the original length of the value. A value that is
// too large for the topic is truncated.
func (t *DeadLetterTopic) Send(ctx context.Context, m kafka.Message, reason string) error {
	err := t.produce(ctx, m, reason, m.Value)
	if errors.Is(err, kafka.MessageSizeTooLarge) && len(m.Value) > maxDeadValue {
		m.Headers = nil // the headers may be too large
		err = t.produce(ctx, m, reason, m.Value[:maxDeadValue])
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

func (t *DeadLetterTopic) produce(ctx context.Context, m kafka.Message, reason string, value []byte) error {
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
