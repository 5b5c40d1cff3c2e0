// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"fmt"
	"strings"

	"github.com/segmentio/kafka-go"
)

// ConnectionError explains an error of the brokers in one line.
type ConnectionError struct {
	text string
	err  error
}

// Error implements error.
func (e *ConnectionError) Error() string { return e.text }

// Unwrap returns the error of the connection or of the broker.
func (e *ConnectionError) Unwrap() error { return e.err }

// Explain converts err to one line that names the brokers and says what to do. It returns nil for nil.
func (l *Link) Explain(err error) error {
	var known *ConnectionError
	if err == nil || errors.As(err, &known) {
		return err
	}
	text := l.explainCode(err)
	if text == "" {
		if _, text = l.config.Explain(err); text != "" {
			return &ConnectionError{text: strings.Join(strings.Fields(text), " "), err: err}
		}
		text = err.Error()
	}
	return &ConnectionError{text: l.config.String() + ": " + strings.Join(strings.Fields(text), " "), err: err}
}

// explainCode explains an error code of a broker. It returns "" for other errors.
func (l *Link) explainCode(err error) string {
	var code kafka.Error
	if !errors.As(err, &code) {
		return ""
	}
	switch code {
	case kafka.UnknownTopicOrPartition, kafka.UnknownTopicID:
		return fmt.Sprintf("%v: a topic is missing; create it with 'stillwatch-collector topics init'", err)
	case kafka.TopicAuthorizationFailed:
		return fmt.Sprintf("%v: %s is not authorized for this topic; grant it READ and DESCRIBE, and WRITE to %s", err, l.config.Principal(), DeadLetterTopic)
	case kafka.GroupAuthorizationFailed:
		return fmt.Sprintf("%v: %s is not authorized for the consumer group; grant it READ", err, l.config.Principal())
	case kafka.ClusterAuthorizationFailed:
		return fmt.Sprintf("%v: %s is not authorized for the cluster; creating topics needs CREATE", err, l.config.Principal())
	case kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend:
		return fmt.Sprintf("%v: fewer replicas are in sync than min.insync.replicas of the topic; check which brokers are down", err)
	}
	return ""
}
