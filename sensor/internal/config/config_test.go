// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"reflect"
	"testing"
)

func TestDefaultsAreValid(t *testing.T) {
	c, err := Parse("sensor.yaml", []byte("version: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	c.Source = nil
	if !reflect.DeepEqual(c, Defaults()) {
		t.Errorf("%+v, want %+v", c, Defaults())
	}
}

const sensorYAML = `version: 1
sensor:
  id: hq-span-1
  site: hq
inventory: inventory.yaml
idle_days: 14
silent: [10.20.0.5, 10.21.0.0/24, "b8:ca:3a:00:00:17"]
limits:
  sessions: 2000000
  devices: 5000
  head_limit: 32768
detections:
  D01:
    severity: critical
  D06:
    params: {attempts: 9, names: [a, b], share: 0.5}
  D34:
    enabled: false
publish:
  kafka:
    brokers: [kafka-1.example:9093, "[2001:db8::1]:9093"]
    client_id: hq-span-1
    tls: {ca: ca.pem, cert: sensor.pem, key: sensor.key, server_name: kafka.example}
    sasl: {mechanism: SCRAM-SHA-256, user: sensor, password_file: /etc/stillwatch/kafka.password}
    sessions: true
  spool:
    dir: /var/lib/stillwatch/spool
    max_bytes: 2147483648
`

type params struct {
	Attempts int      `yaml:"attempts"`
	Window   int      `yaml:"window"`
	Names    []string `yaml:"names"`
	Share    float64  `yaml:"share"`
}

func TestConfig(t *testing.T) {
	c, err := Parse("sensor.yaml", []byte(sensorYAML))
	if err != nil {
		t.Fatal(err)
	}
	if c.SensorID != "hq-span-1" || c.Site != "hq" || c.Inventory != "inventory.yaml" || c.IdleDays != 14 || len(c.Silent) != 2 || len(c.SilentMACs) != 1 {
		t.Errorf("%+v", c)
	}
	if c.Limits.Sessions != 2_000_000 || c.Limits.Devices != 5000 || c.Limits.HeadLimit != 32768 || c.Limits.Names != Defaults().Limits.Names {
		t.Errorf("%+v", c.Limits)
	}
	want := &Publish{Brokers: []string{"kafka-1.example:9093", "[2001:db8::1]:9093"}, ClientID: "hq-span-1",
		TLS:  &PublishTLS{"ca.pem", "sensor.pem", "sensor.key", "kafka.example"},
		SASL: &PublishSASL{"SCRAM-SHA-256", "sensor", "/etc/stillwatch/kafka.password", ""}, Sessions: true,
		SpoolDir: "/var/lib/stillwatch/spool", SpoolBytes: 2 << 30}
	if !reflect.DeepEqual(c.Publish, want) {
		t.Errorf("%+v, want %+v", c.Publish, want)
	}
	if c.Enabled("D34") || !c.Enabled("D01") || !c.Enabled("D99") || *c.Detections["D01"].Severity != "critical" {
		t.Errorf("%+v", c.Detections)
	}
	p := params{Attempts: 5, Window: 600}
	if err := c.Params("D06", &p); err != nil {
		t.Fatal(err)
	}
	if want := (params{9, 600, []string{"a", "b"}, 0.5}); !reflect.DeepEqual(p, want) {
		t.Errorf("%+v, want %+v", p, want)
	}
	if err := c.Params("D02", &p); err != nil {
		t.Error(err)
	}
	if got := c.Unknown([]string{"D01", "D06"}); len(got) != 1 || got[0] != "D34" {
		t.Errorf("unknown rules: %v", got)
	}
}

func TestBadParams(t *testing.T) {
	for src, line := range map[string]int{
		"version: 1\ndetections:\n  D06:\n    params:\n      attempts: 9\n      attemps: 9\n": 6,
		"version: 1\ndetections:\n  D06:\n    params:\n      attempts: many\n":                5,
		"version: 1\ndetections:\n  D06: {params: {names: 3}}\n":                              3,
	} {
		c, err := Parse("sensor.yaml", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		var list Errors
		if err := c.Params("D06", &params{}); !errors.As(err, &list) || list[0].Line != line || list[0].Column < 5 {
			t.Errorf("%s: %v", src, err)
		}
	}
}
