// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"stillwatch/internal/brokers"
)

// Cause is why records could not be delivered. It is a label of the metrics.
type Cause = brokers.Cause

// The causes that a broker reports; package brokers has those of the connection.
const (
	CauseAuthorization Cause = "authorization"
	CauseNoTopic       Cause = "no_topic"
	CauseTooLarge      Cause = "too_large"
	CauseReplicas      Cause = "not_enough_replicas"
	CauseLeader        Cause = "leader"
	CauseClock         Cause = "clock"
	CauseOther         Cause = "other"
)

// Causes returns all causes.
func Causes() []Cause {
	return []Cause{brokers.Unreachable, brokers.Protocol, brokers.Authority, brokers.ClientCert, brokers.Authenticate, CauseAuthorization, CauseNoTopic,
		CauseTooLarge, CauseReplicas, CauseLeader, CauseClock, brokers.Timeout, CauseOther}
}

// DeliveryError is why records could not be delivered. Its text is one line and includes what to do about it.
type DeliveryError struct {
	Cause Cause
	Topic string
	Text  string
	Err   error
}

func (e *DeliveryError) Error() string { return e.Text }

// Unwrap returns the error of the connection or of the broker.
func (e *DeliveryError) Unwrap() error { return e.Err }

// explain translates an error of the brokers for the administrator.
func (c KafkaConfig) explain(topic string, err error) *DeliveryError {
	var known *DeliveryError
	if errors.As(err, &known) {
		return known
	}
	cause, text := c.explainCode(topic, err)
	if text != "" {
		text = fmt.Sprintf("%s: %s", c.connection(), text)
	} else {
		cause, text = c.connection().Explain(err)
	}
	if text == "" {
		cause, text = CauseOther, fmt.Sprintf("%s: %v", c.connection(), err)
	}
	return &DeliveryError{Cause: cause, Topic: topic, Text: text, Err: err}
}

// explainCode translates the error code of a broker; "" if the error is not a known code.
func (c KafkaConfig) explainCode(topic string, err error) (Cause, string) {
	var code kafka.Error
	if !errors.As(err, &code) {
		return "", ""
	}
	switch code {
	case kafka.UnknownTopicOrPartition, kafka.UnknownTopicID:
		return CauseNoTopic, fmt.Sprintf("there is no topic %s; create it with 'stillwatch-collector topics init'", topic)
	case kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed:
		return CauseAuthorization, fmt.Sprintf("%s has no right to write to topic %s; grant it WRITE and DESCRIBE", c.connection().Principal(), topic)
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return CauseTooLarge, fmt.Sprintf("a record is larger than topic %s allows; raise max.message.bytes of the topic", topic)
	case kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend:
		return CauseReplicas, fmt.Sprintf("topic %s has fewer replicas in sync than its min.insync.replicas; check which brokers are down", topic)
	case kafka.LeaderNotAvailable, kafka.NotLeaderForPartition, kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable, kafka.FencedLeaderEpoch:
		return CauseLeader, fmt.Sprintf("a partition of topic %s has no leader, or its leader has changed", topic)
	case kafka.InvalidTimestamp:
		return CauseClock, fmt.Sprintf("topic %s refuses the time of a record: set the clock of this machine (%s); until then records are sent without a time", topic, time.Now().UTC().Format(time.RFC3339))
	case kafka.RequestTimedOut:
		return brokers.Timeout, fmt.Sprintf("topic %s: the replicas did not confirm in time", topic)
	}
	return "", ""
}
