// SPDX-License-Identifier: Apache-2.0

// Package config reads the configuration of the collector. It is strict YAML: unknown keys are errors, and every error has a line and
// column. Of the files that it names, only the password file is opened here.
package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"stillwatch/internal/brokers"
)

// Config is the configuration of the collector.
type Config struct {
	Listen   string   `yaml:"listen"`   // host:port of console and API
	TLS      TLS      `yaml:"tls"`      // for console and API
	Database string   `yaml:"database"` // file
	Health   string   `yaml:"health"`   // host:port of /metrics, /healthz and /readyz; "" for none
	Evidence Evidence `yaml:"evidence"`
	Kafka    Kafka    `yaml:"kafka"`
	Broker   *Broker  `yaml:"embedded_broker"`
	LogLevel string   `yaml:"log_level"`
}

// TLS names PEM files.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Evidence configures how long the packets of alerts are kept: the oldest are deleted first.
type Evidence struct {
	MaxBytes int64 `yaml:"max_bytes"`
	MaxDays  int   `yaml:"max_days"`
}

// Kafka configures the connection to the brokers.
type Kafka struct {
	Brokers []string  `yaml:"brokers"`
	Group   string    `yaml:"group"`
	TLS     *KafkaTLS `yaml:"tls"`
	SASL    *SASL     `yaml:"sasl"`
	Topics  Topics    `yaml:"topics"`
}

// KafkaTLS configures TLS to the brokers. All fields may be empty.
type KafkaTLS struct {
	CA         string `yaml:"ca"`
	Cert       string `yaml:"cert"`
	Key        string `yaml:"key"`
	ServerName string `yaml:"server_name"`
}

// SASL configures the authentication to the brokers.
type SASL struct {
	Mechanism    string `yaml:"mechanism"`
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`
}

// Topics configures the topics that "topics init" creates; 0 means the default.
type Topics struct {
	Partitions int `yaml:"partitions"`
	Replicas   int `yaml:"replicas"`
}

// Broker configures the embedded broker.
type Broker struct {
	Dir  string `yaml:"dir"`
	Port int    `yaml:"port"`
}

// Default returns the default configuration, which has no brokers.
func Default() Config {
	return Config{Listen: "127.0.0.1:8480", Database: "stillwatch.db", Health: "127.0.0.1:8481", LogLevel: "info",
		Evidence: Evidence{MaxBytes: 2 << 30, MaxDays: 90},
		Kafka:    Kafka{Group: "stillwatch-collector"}}
}

// defaultBrokerPort is the default port of Kafka.
const defaultBrokerPort = 9092

// Load reads a file. Relative paths in it are relative to its folder.
func Load(path string) (Config, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	c, err := Parse(path, src)
	if err != nil {
		return Config{}, err
	}
	dir := filepath.Dir(path)
	for _, p := range c.paths() {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	return c, nil
}

func (c *Config) paths() []*string {
	all := []*string{&c.TLS.Cert, &c.TLS.Key, &c.Database}
	if t := c.Kafka.TLS; t != nil {
		all = append(all, &t.CA, &t.Cert, &t.Key)
	}
	if s := c.Kafka.SASL; s != nil {
		all = append(all, &s.PasswordFile)
	}
	if c.Broker != nil {
		all = append(all, &c.Broker.Dir)
	}
	return all
}

// Loopback reports whether an address is only reachable from this machine.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Password reads the password file, without a trailing newline.
func (s *SASL) Password() (string, error) {
	b, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("kafka.sasl.password_file: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// Check validates a configuration that does not come from a file. The error has one problem per line.
func (c *Config) Check() error {
	var all []string
	c.check(func(_, format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) })
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "\n"))
}

// check validates the values and calls fail for each problem.
func (c *Config) check(fail func(path, format string, args ...any)) {
	if err := hostPort(c.Listen); err != nil {
		fail("$.listen", "listen: %v", err)
	} else if !Loopback(c.Listen) && c.TLS.Cert == "" {
		fail("$.listen", "listen: %s is reachable from other machines: set tls.cert and tls.key, or listen on 127.0.0.1", c.Listen)
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		fail("$.tls", "tls: set both cert and key")
	}
	if c.Database == "" {
		fail("$.database", "database must not be empty")
	}
	if err := hostPort(c.Health); c.Health != "" && err != nil {
		fail("$.health", "health: %v", err)
	}
	if n := c.Evidence.MaxBytes; n < 1<<20 || n > 1<<44 {
		fail("$.evidence.max_bytes", "evidence.max_bytes must be from %d to %d", 1<<20, int64(1)<<44)
	}
	if n := c.Evidence.MaxDays; n < 1 || n > 3650 {
		fail("$.evidence.max_days", "evidence.max_days must be from 1 to 3650")
	}
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		fail("$.log_level", "log_level must be one of debug, info, warn, error, not %.40q", c.LogLevel)
	}
	if b := c.Broker; b != nil {
		c.checkBroker(fail)
	}
	c.Kafka.check(fail, c.Broker != nil)
}

func (c *Config) checkBroker(fail func(path, format string, args ...any)) {
	if c.Broker.Dir == "" {
		fail("$.embedded_broker", "embedded_broker: dir is missing")
	}
	if c.Broker.Port < 0 || c.Broker.Port > 65535 {
		fail("$.embedded_broker.port", "embedded_broker.port must be from 0 (%d) to 65535", defaultBrokerPort)
	}
	if c.Broker.Port == 0 {
		c.Broker.Port = defaultBrokerPort
	}
}

func (k *Kafka) check(fail func(path, format string, args ...any), embedded bool) {
	switch {
	case embedded && (len(k.Brokers) > 0 || k.TLS != nil || k.SASL != nil):
		fail("$.kafka", "kafka: brokers, tls and sasl cannot be used with embedded_broker")
	case !embedded && len(k.Brokers) == 0:
		fail("$.kafka", "kafka.brokers is missing: set host:port of at least one broker, or embedded_broker")
	}
	for i, b := range k.Brokers {
		if err := hostPort(b); err != nil {
			fail(fmt.Sprintf("$.kafka.brokers[%d]", i), "kafka.brokers: %v", err)
		}
	}
	if k.Group == "" {
		fail("$.kafka.group", "kafka.group must not be empty")
	}
	if t := k.TLS; t != nil && (t.Cert == "") != (t.Key == "") {
		fail("$.kafka.tls", "kafka.tls: set both cert and key")
	}
	if s := k.SASL; s != nil {
		s.check(fail)
	}
	for _, n := range []struct {
		name string
		is   int
		most int
	}{{"partitions", k.Topics.Partitions, 1000}, {"replicas", k.Topics.Replicas, 9}} {
		if n.is < 0 || n.is > n.most {
			fail("$.kafka.topics."+n.name, "kafka.topics.%s must be from 1 to %d, or 0 for the default", n.name, n.most)
		}
	}
}

func (s *SASL) check(fail func(path, format string, args ...any)) {
	if all := brokers.Mechanisms(); !slices.Contains(all, s.Mechanism) {
		fail("$.kafka.sasl", "kafka.sasl.mechanism must be one of %s, not %.40q", strings.Join(all, ", "), s.Mechanism)
	}
	if s.User == "" || s.PasswordFile == "" {
		fail("$.kafka.sasl", "kafka.sasl: user and password_file are required")
	}
}

func hostPort(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%.80q is not host:port", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%.80q: the port must be from 0 to 65535", s)
	}
	return nil
}
