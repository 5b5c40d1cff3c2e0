// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// BrokerCheck is the result of Check for one configured broker.
type BrokerCheck struct {
	Broker string
	Err    error // a *DeliveryError; nil: the broker answers
}

// TopicCheck is the result of Check for one topic.
type TopicCheck struct {
	Topic      string
	Partitions int
	Replicas   int               // the smallest number of any partition
	Settings   map[string]string // nil: this user may not read them
	Err        error             // a *DeliveryError: why records would be refused; nil: they would be accepted
}

// checkedSettings lists the settings of a topic that Check reads.
func checkedSettings() []string {
	return []string{"cleanup.policy", "max.message.bytes", "min.insync.replicas", "retention.ms"}
}

// checkTimeout bounds one request.
const checkTimeout = 10 * time.Second

// Check connects to each configured broker, and asks one of them whether it would accept records of the topics. It writes nothing. The error is
// about files or the SASL mechanism.
func (c KafkaConfig) Check(ctx context.Context, topics []string) (brokers []BrokerCheck, found []TopicCheck, err error) {
	c = c.withDefaults()
	c.Timeout = min(c.Timeout, checkTimeout)
	tr, err := c.transport(topics)
	if err != nil {
		return nil, nil, err
	}
	defer tr.CloseIdleConnections()
	var client *kafka.Client
	var meta *kafka.MetadataResponse
	for _, b := range c.Brokers {
		one := c
		one.Brokers = []string{b}
		k := &kafka.Client{Addr: kafka.TCP(b), Timeout: c.Timeout, Transport: tr}
		m, err := k.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
		if err != nil {
			brokers = append(brokers, BrokerCheck{b, one.explain("", err)})
			continue
		}
		brokers = append(brokers, BrokerCheck{Broker: b})
		client, meta = k, m
	}
	if client == nil {
		return brokers, nil, nil
	}
	for _, t := range meta.Topics {
		found = append(found, c.topic(ctx, client, t))
	}
	return brokers, found, nil
}

func (c KafkaConfig) topic(ctx context.Context, k *kafka.Client, t kafka.Topic) TopicCheck {
	is := TopicCheck{Topic: t.Name, Partitions: len(t.Partitions)}
	for i, p := range t.Partitions {
		if i == 0 || len(p.Replicas) < is.Replicas {
			is.Replicas = len(p.Replicas)
		}
	}
	err := t.Error
	if err == nil && is.Partitions == 0 {
		err = kafka.UnknownTopicOrPartition
	}
	if err == nil {
		err = wouldTake(ctx, k, t)
	}
	if err != nil {
		is.Err = c.explain(t.Name, err)
		return is
	}
	res, err := k.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: t.Name, ConfigNames: checkedSettings()}}})
	if err != nil || len(res.Resources) == 0 || res.Resources[0].Error != nil {
		return is // a sensor need not have the right DESCRIBE_CONFIGS
	}
	is.Settings = map[string]string{}
	for _, e := range res.Resources[0].ConfigEntries {
		is.Settings[e.ConfigName] = e.ConfigValue
	}
	return is
}

// wouldTake sends a produce request without records. A broker checks the right to write before it parses the records, so its error shows
// whether the right is there.
func wouldTake(ctx context.Context, k *kafka.Client, t kafka.Topic) error {
	res, err := k.RawProduce(ctx, &kafka.RawProduceRequest{Topic: t.Name, Partition: t.Partitions[0].ID, RequiredAcks: kafka.RequireAll,
		RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(make([]byte, 4))}})
	if err != nil {
		return err
	}
	var code kafka.Error
	if errors.As(res.Error, &code) && (code == kafka.InvalidRecord || code == kafka.InvalidMessage) {
		return nil
	}
	return res.Error
}
