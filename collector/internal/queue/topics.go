// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"stillwatch/schemas"
)

// DeadLetterTopic is the topic of rejected records, with the reason in their headers.
const DeadLetterTopic = "stillwatch.deadletter.v1"

// Topic is the required configuration of a topic.
type Topic struct {
	Name       string
	Partitions int // at least
	Replicas   int
	Settings   map[string]string
}

// Plan holds the sizes of the topics.
type Plan struct {
	Partitions int // of alerts, evidence, incidents, devices and sessions; 0: 6
	Replicas   int // 0: the number of brokers, at most 3
}

const (
	dayMS = 24 * 60 * 60 * 1000
	// maxMessage is the maximum size of a record. An alert with 50 related sessions and its evidence is much smaller.
	maxMessage = 4 << 20
)

// Topics returns the topics of the plan on a cluster with that many brokers. With three replicas a write needs two: one broker may
// fail, and every acknowledged alert is on two disks.
func (p Plan) Topics(brokers int) []Topic {
	n, r := p.Partitions, p.Replicas
	if n == 0 {
		n = 6
	}
	if r == 0 {
		r = min(brokers, 3)
	}
	with := func(more map[string]string) map[string]string {
		s := map[string]string{"min.insync.replicas": strconv.Itoa(max(r-1, 1)), "max.message.bytes": strconv.Itoa(maxMessage)}
		maps.Copy(s, more)
		return s
	}
	deleted := func(days int) map[string]string {
		return with(map[string]string{"cleanup.policy": "delete", "retention.ms": strconv.Itoa(days * dayMS)})
	}
	return []Topic{
		{schemas.AlertTopic, n, r, deleted(30)},
		{schemas.EvidenceTopic, n, r, deleted(30)},
		{schemas.IncidentTopic, n, r, with(map[string]string{"cleanup.policy": "compact"})},
		{schemas.DeviceTopic, n, r, with(map[string]string{"cleanup.policy": "compact"})},
		{schemas.StatusTopic, 1, r, with(map[string]string{"cleanup.policy": "compact"})},
		{schemas.PolicyTopic, 1, r, with(map[string]string{"cleanup.policy": "compact"})},
		{schemas.SessionTopic, n, r, deleted(3)},
		{DeadLetterTopic, 1, r, deleted(90)},
	}
}

func allTopics() []string {
	return []string{schemas.AlertTopic, schemas.IncidentTopic, schemas.DeviceTopic, schemas.EvidenceTopic, schemas.StatusTopic, schemas.PolicyTopic, schemas.SessionTopic, DeadLetterTopic}
}

// Difference is a deviation of a topic from the plan.
type Difference struct {
	Topic, What, Is, Want string
}

// String returns the difference in one line.
func (d Difference) String() string {
	if d.What == "" {
		return d.Topic + ": is missing"
	}
	return fmt.Sprintf("%s: %s is %s, should be %s", d.Topic, d.What, d.Is, d.Want)
}

// Init creates missing topics and returns their names. It does not change existing topics: differences are left to the operator.
func (l *Link) Init(ctx context.Context, p Plan) (made []string, err error) {
	c := l.client("stillwatch-collector-topics", nil) // without topic names, so that it sees new topics
	meta, err := c.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	there := map[string]bool{}
	for _, t := range meta.Topics {
		there[t.Name] = t.Error == nil
	}
	for _, t := range p.Topics(len(meta.Brokers)) {
		if there[t.Name] {
			continue
		}
		if err := create(ctx, c, t); err != nil {
			return made, fmt.Errorf("topic %s: %w", t.Name, err)
		}
		made = append(made, t.Name)
	}
	return made, nil
}

// Wait returns when all topics exist, or with the error of ctx. A group reader that joins earlier would notice new topics late.
func (l *Link) Wait(ctx context.Context, topics []string, every time.Duration) error {
	c := l.Client("stillwatch-collector-topics")
	for {
		if meta, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: topics}); err == nil && all(meta.Topics, topics) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

func all(there []kafka.Topic, wanted []string) bool {
	for _, name := range wanted {
		if !slices.ContainsFunc(there, func(t kafka.Topic) bool { return t.Name == name && t.Error == nil && len(t.Partitions) > 0 }) {
			return false
		}
	}
	return true
}

func create(ctx context.Context, c *kafka.Client, t Topic) error {
	req := kafka.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: t.Replicas}
	for _, k := range slices.Sorted(maps.Keys(t.Settings)) {
		req.ConfigEntries = append(req.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: t.Settings[k]})
	}
	res, err := c.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{req}})
	if err != nil {
		return err
	}
	if err := res.Errors[t.Name]; !errors.Is(err, kafka.TopicAlreadyExists) { // created by another collector meanwhile
		return err
	}
	return nil
}

// Check returns the differences from the plan, in the order of the topics.
func (l *Link) Check(ctx context.Context, p Plan) ([]Difference, error) {
	c := l.Client("stillwatch-collector-topics")
	meta, err := c.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	var all []Difference
	for _, want := range p.Topics(len(meta.Brokers)) {
		i := slices.IndexFunc(meta.Topics, func(t kafka.Topic) bool {
			return t.Name == want.Name && !errors.Is(t.Error, kafka.UnknownTopicOrPartition)
		})
		if i >= 0 && meta.Topics[i].Error != nil {
			return all, fmt.Errorf("topic %s: %w", want.Name, meta.Topics[i].Error)
		}
		if i < 0 {
			all = append(all, Difference{Topic: want.Name})
			continue
		}
		all = append(all, want.shape(meta.Topics[i])...)
		set, err := settings(ctx, c, want)
		if err != nil {
			return all, fmt.Errorf("topic %s: %w", want.Name, err)
		}
		all = append(all, set...)
	}
	return all, nil
}

func (t Topic) shape(is kafka.Topic) (all []Difference) {
	if n := len(is.Partitions); n < t.Partitions {
		all = append(all, Difference{t.Name, "partitions", strconv.Itoa(n), strconv.Itoa(t.Partitions) + " or more"})
	}
	for _, p := range is.Partitions {
		if len(p.Replicas) < t.Replicas {
			return append(all, Difference{t.Name, "replication factor", strconv.Itoa(len(p.Replicas)), strconv.Itoa(t.Replicas)})
		}
	}
	return all
}

// settings compares the settings of a topic. Retention and size may be larger than required.
func settings(ctx context.Context, c *kafka.Client, want Topic) ([]Difference, error) {
	names := slices.Sorted(maps.Keys(want.Settings))
	res, err := c.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: want.Name, ConfigNames: names}}})
	if err != nil {
		return nil, err
	}
	is := map[string]string{}
	for _, r := range res.Resources {
		if r.Error != nil {
			return nil, r.Error
		}
		for _, e := range r.ConfigEntries {
			is[e.ConfigName] = e.ConfigValue
		}
	}
	var all []Difference
	for _, name := range names {
		if !enough(name, is[name], want.Settings[name]) {
			all = append(all, Difference{want.Name, name, value(is[name]), want.Settings[name]})
		}
	}
	return all, nil
}

func value(s string) string {
	if s == "" {
		return "not set"
	}
	return s
}

func enough(name, is, want string) bool {
	if is == want {
		return true
	}
	switch name {
	case "retention.ms", "max.message.bytes":
		a, err := strconv.ParseInt(is, 10, 64)
		b, _ := strconv.ParseInt(want, 10, 64) // from the plan
		return err == nil && (a >= b || name == "retention.ms" && a == -1)
	case "cleanup.policy": // "compact,delete" does not satisfy "compact": it deletes records
		return strings.ReplaceAll(is, " ", "") == want
	}
	return false
}
