// SPDX-License-Identifier: Apache-2.0

// Package cluster runs Apache Kafka in KRaft mode on loopback, with one or several brokers, for tests, benchmarks and
// trials. Each broker has a plaintext listener, one with SASL, one with SASL over TLS, and one that
// requires a client certificate.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// Options describe a new cluster. The zero value is one broker.
type Options struct {
	Brokers    int               `json:"brokers"`              // 1 to 9, default 1
	Properties map[string]string `json:"properties,omitempty"` // of server.properties; they override the defaults
	Bound      bool              `json:"-"`                    // the brokers end with the process that started them
	Fast       bool              `json:"fast"`                 // the JVM optimises for throughput instead of a quick start: for benchmarks
}

// The listeners of every broker.
const (
	Plaintext     = "PLAINTEXT"      // no protection
	SASLPlaintext = "SASL_PLAINTEXT" // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
	SASLTLS       = "SASL_SSL"       // the same over TLS
	MutualTLS     = "SSL"            // TLS with a required client certificate of the authority
	controller    = "CONTROLLER"
)

func listeners() []string {
	return []string{Plaintext, SASLPlaintext, SASLTLS, MutualTLS, controller}
}

// Users returns the users that can sign in with PLAIN and SCRAM; Password returns their passwords.
func Users() []string { return []string{"admin", "sensor", "collector", "analyst"} }

// Password returns the password of a user.
func Password(user string) string { return user + "-secret" }

// Cluster is a set of brokers with their data in one directory.
type Cluster struct {
	Dir     string  `json:"-"`
	Nodes   []*Node `json:"nodes"`
	Options Options `json:"options"`
	libs    string
}

// Create prepares a directory, which must be empty or not exist: keys, settings, formatted logs. It starts no broker.
func Create(ctx context.Context, dir string, o Options) (*Cluster, error) {
	o.Brokers = max(o.Brokers, 1)
	if o.Brokers > 9 {
		return nil, fmt.Errorf("%d brokers: at most 9", o.Brokers)
	}
	libs, err := Jars(ctx)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) > 0 {
		return nil, errors.Join(err, fmt.Errorf("%s is not empty", dir))
	}
	c := &Cluster{Dir: dir, Options: o, libs: libs}
	if err := certificates(dir); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "log4j2.properties"), log4j, 0o644); err != nil {
		return nil, err
	}
	if err := c.addNodes(); err != nil {
		return nil, err
	}
	for _, n := range c.Nodes {
		if err := n.format(ctx); err != nil {
			return nil, err
		}
	}
	return c, c.save()
}

func (c *Cluster) addNodes() error {
	var taken []int
	for i := range c.Options.Brokers {
		n := &Node{ID: i + 1, Ports: map[string]int{}, c: c}
		for _, l := range listeners() {
			p, err := FreePort(taken...)
			if err != nil {
				return err
			}
			taken = append(taken, p)
			n.Ports[l] = p
		}
		c.Nodes = append(c.Nodes, n)
	}
	for _, n := range c.Nodes {
		if err := n.configure(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) save() error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.Dir, "cluster.json"), b, 0o644)
}

// Open returns the cluster of a directory that Create prepared.
func Open(ctx context.Context, dir string) (*Cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "cluster.json"))
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "cluster.json"), err)
	}
	for _, n := range c.Nodes {
		n.c = c
	}
	c.libs, err = Jars(ctx)
	return c, err
}

// Brokers returns the addresses of a listener, separated by commas.
func (c *Cluster) Brokers(listener string) string {
	var all []string
	for _, n := range c.Nodes {
		all = append(all, n.Address(listener))
	}
	return strings.Join(all, ",")
}

// CA returns the PEM file with the authority. ClientCert and ClientKey return the files of a client for the TLS listeners.
func (c *Cluster) CA() string         { return filepath.Join(c.Dir, "ca.pem") }
func (c *Cluster) ClientCert() string { return filepath.Join(c.Dir, "client.pem") }
func (c *Cluster) ClientKey() string  { return filepath.Join(c.Dir, "client.key") }

// Client returns a client of the plaintext listener.
func (c *Cluster) Client() *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(strings.Split(c.Brokers(Plaintext), ",")...), Timeout: time.Minute,
		Transport: &kafka.Transport{DialTimeout: 10 * time.Second, MetadataTTL: time.Second}}
}

// Start starts all brokers that are not running and waits until they have found each other.
func (c *Cluster) Start(ctx context.Context) error {
	for _, n := range c.Nodes {
		if !n.Running() {
			if err := n.launch(); err != nil {
				return err
			}
		}
	}
	return c.ready(ctx, c.Nodes)
}

// ready waits until the brokers answer and each knows the others.
func (c *Cluster) ready(ctx context.Context, nodes []*Node) error {
	for {
		err := c.complete(ctx, nodes)
		if err == nil {
			return nil
		}
		for _, n := range nodes {
			if !n.Running() {
				return fmt.Errorf("broker %d has ended:\n%s", n.ID, n.logTail())
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the brokers are not ready: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *Cluster) complete(ctx context.Context, nodes []*Node) error {
	for _, n := range nodes {
		tr := &kafka.Transport{DialTimeout: 5 * time.Second}
		cl := &kafka.Client{Addr: kafka.TCP(n.Address(Plaintext)), Timeout: 10 * time.Second, Transport: tr}
		m, err := cl.Metadata(ctx, &kafka.MetadataRequest{})
		tr.CloseIdleConnections()
		if err != nil {
			return err
		}
		for _, want := range nodes {
			if !slices.ContainsFunc(m.Brokers, func(b kafka.Broker) bool { return b.ID == want.ID }) {
				return fmt.Errorf("broker %d does not know broker %d yet", n.ID, want.ID)
			}
		}
	}
	return nil
}

// Stop shuts all brokers down: they close their logs and hand over leadership. Data and ports are kept for the next Start.
func (c *Cluster) Stop() error {
	var errs []error
	for _, n := range c.Nodes {
		n.signalStop()
	}
	for _, n := range c.Nodes {
		switch {
		case n.ended(stopTime):
		case len(c.Nodes) > 1: // the last of several may wait for minutes for controllers that have ended, to report that it leaves
			errs = append(errs, n.Kill())
		default:
			errs = append(errs, n.Stop())
		}
	}
	return errors.Join(errs...)
}

// Kill ends all brokers with SIGKILL.
func (c *Cluster) Kill() error {
	var errs []error
	for _, n := range c.Nodes {
		errs = append(errs, n.Kill())
	}
	return errors.Join(errs...)
}

// CreateTopic creates a topic with one replica on each broker, at most 3, and waits until every broker knows it, and every partition has a leader
// that knows that it is one.
func (c *Cluster) CreateTopic(ctx context.Context, name string, partitions int, settings map[string]string) error {
	t := kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: min(len(c.Nodes), 3)}
	for k, v := range settings {
		t.ConfigEntries = append(t.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
	}
	cl := c.Client()
	res, err := cl.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{t}})
	if err != nil {
		return err
	}
	if err := res.Errors[name]; err != nil {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	for {
		err := c.led(ctx, name, partitions)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("topic %s has no leaders: %w", name, errors.Join(err, ctx.Err()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// led returns an error if a broker does not know a topic with its leaders, or if a leader does not answer for its partition.
func (c *Cluster) led(ctx context.Context, topic string, partitions int) error {
	for _, n := range c.Nodes {
		cl := c.Client()
		cl.Addr = kafka.TCP(n.Address(Plaintext))
		leaders, err := leaders(ctx, cl, topic)
		if err != nil {
			return err
		}
		if len(leaders) != partitions || slices.Contains(leaders, 0) {
			return fmt.Errorf("broker %d knows the leaders %v", n.ID, leaders)
		}
	}
	var ask []kafka.OffsetRequest
	for p := range partitions {
		ask = append(ask, kafka.LastOffsetOf(p))
	}
	res, err := c.Client().ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
	if err != nil {
		return err
	}
	for _, p := range res.Topics[topic] {
		err = errors.Join(err, p.Error)
	}
	return err
}

// Leaders returns the leader of each partition of a topic, 0 for none.
func (c *Cluster) Leaders(ctx context.Context, topic string) ([]int, error) {
	return leaders(ctx, c.Client(), topic)
}

func leaders(ctx context.Context, cl *kafka.Client, topic string) ([]int, error) {
	m, err := cl.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, err
	}
	for _, t := range m.Topics {
		if t.Name != topic || t.Error != nil {
			continue
		}
		leaders := make([]int, len(t.Partitions))
		for _, p := range t.Partitions {
			if p.ID < len(leaders) && p.Error == nil {
				leaders[p.ID] = max(p.Leader.ID, 0)
			}
		}
		return leaders, nil
	}
	return nil, fmt.Errorf("no topic %s", topic)
}
