// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/publish"
)

// Brokers is the result of the Kafka check.
type Brokers struct {
	Brokers []Broker `json:"brokers"`
	Topics  []Topic  `json:"topics"`
}

// Broker is a named broker.
type Broker struct {
	Address string `json:"address"`
	Error   string `json:"error,omitempty"` // why it does not answer
}

// Topic is a topic that the sensor writes to.
type Topic struct {
	Name       string            `json:"name"`
	Partitions int               `json:"partitions"`
	Replicas   int               `json:"replicas"`
	Settings   map[string]string `json:"settings,omitempty"` // absent if the user may not read them
	Error      string            `json:"error,omitempty"`    // why records would be rejected
}

// LookAtKafka queries the brokers and writes nothing. It returns an error for unreadable files or an unknown SASL mechanism.
func LookAtKafka(ctx context.Context, c publish.KafkaConfig, topics []string) (*Brokers, error) {
	brokers, found, err := c.Check(ctx, topics)
	if err != nil {
		return nil, err
	}
	b := &Brokers{Brokers: []Broker{}, Topics: []Topic{}}
	for _, x := range brokers {
		b.Brokers = append(b.Brokers, Broker{x.Broker, text(x.Err)})
	}
	for _, x := range found {
		b.Topics = append(b.Topics, Topic{x.Topic, x.Partitions, x.Replicas, x.Settings, text(x.Err)})
	}
	return b, nil
}

func text(err error) string {
	var d *publish.DeliveryError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &d):
		return d.Text
	}
	return err.Error()
}

// leastMessage is Kafka's default limit of a record, bytes. Alerts with much evidence come close to it.
const leastMessage = 1 << 20

// Kafka returns the findings about the brokers.
func Kafka(b *Brokers) (all []Finding) {
	add := func(l Level, found, fix string) { all = append(all, Finding{CheckKafka, l, found, fix}) }
	answering := 0
	for _, x := range b.Brokers {
		if x.Error == "" {
			answering++
		}
	}
	for _, x := range b.Brokers {
		if x.Error != "" {
			level := Warning
			if answering == 0 {
				level = Problem
			}
			found, fix, _ := strings.Cut(x.Error, "; ")
			add(level, found, fix)
		}
	}
	var taken []string
	for _, t := range b.Topics {
		if t.Error != "" {
			found, fix, _ := strings.Cut(t.Error, "; ")
			add(Problem, found, fix)
			continue
		}
		taken = append(taken, fmt.Sprintf("%s (%s, %s)", t.Name, counted(t.Partitions, "partition"), counted(t.Replicas, "replica")))
		all = append(all, t.settings()...)
	}
	if len(taken) > 0 {
		add(OK, fmt.Sprintf("%s; %s would accept records", agree(answering, "broker answers", "brokers answer"), strings.Join(taken, ", ")), "")
	}
	return all
}

func agree(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(uint64(n)) + " " + many
}

// settings compares a topic with what 'stillwatch-collector topics init' makes, where records could be lost by the difference.
func (t Topic) settings() (all []Finding) {
	add := func(l Level, found, fix string) {
		all = append(all, Finding{CheckKafka, l, t.Name + ": " + found, fix})
	}
	const ask = "compare with 'stillwatch-collector topics check'"
	if t.Settings == nil {
		add(Note, "its settings are not for this user to read", ask)
		return all
	}
	if t.Name != schemas.DeviceTopic && t.Name != schemas.IncidentTopic && t.Name != schemas.StatusTopic && strings.Contains(t.Settings["cleanup.policy"], "compact") {
		add(Warning, "it is compacted, which keeps only the last record of each device", "set cleanup.policy=delete")
	}
	inSync, _ := strconv.Atoi(t.Settings["min.insync.replicas"]) // 0 if unknown
	switch {
	case t.Replicas < 2:
		add(Note, "one replica: acknowledged records are on one disk", "")
	case inSync < 2:
		add(Warning, "min.insync.replicas is "+t.Settings["min.insync.replicas"]+": acknowledged records may be on one disk", "set min.insync.replicas=2")
	}
	if most, err := strconv.Atoi(t.Settings["max.message.bytes"]); err == nil && most < leastMessage {
		add(Warning, "max.message.bytes is "+number(uint64(most))+": large alerts would be rejected", "set max.message.bytes=4194304")
	}
	return all
}
