// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

var update = flag.Bool("update", false, "rewrite the expected messages")

// TestInvalidFiles checks the error message of each file in testdata/bad.
func TestInvalidFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(filepath.Base(path), src)
		var list Errors
		if !errors.As(err, &list) {
			t.Errorf("%s: %v", path, err)
			continue
		}
		golden := strings.TrimSuffix(path, ".yaml") + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err2 := os.ReadFile(golden); err2 != nil || string(want) != err.Error()+"\n" {
			t.Errorf("%s:\n got %s\nwant %s", path, err, want)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "collector.yaml")
	const text = `
listen: 0.0.0.0:8443
tls: {cert: c.pem, key: /etc/k.pem}
database: data/collector.db
health: ""
log_level: debug
kafka:
  brokers: [k1:9093, "[2001:db8::1]:9093"]
  group: g
  tls: {ca: ca.pem}
  sasl: {mechanism: SCRAM-SHA-512, user: collector, password_file: pw}
  topics: {partitions: 12, replicas: 3}
`
	for name, body := range map[string]string{path: text, filepath.Join(dir, "pw"): "secret\r\n"} {
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.TLS.Cert != filepath.Join(dir, "c.pem") || c.TLS.Key != "/etc/k.pem" || c.Database != filepath.Join(dir, "data/collector.db") ||
		c.Kafka.TLS.CA != filepath.Join(dir, "ca.pem") || c.Kafka.TLS.Cert != "" || c.Health != "" || len(c.Kafka.Brokers) != 2 {
		t.Errorf("%+v", c)
	}
	if pw, err := c.Kafka.SASL.Password(); err != nil || pw != "secret" {
		t.Errorf("password %q, %v", pw, err)
	}
	if _, err := Load(filepath.Join(dir, "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestEmptyTLSEnablesTLS(t *testing.T) {
	for _, src := range []string{"kafka: {brokers: ['k:1'], tls: {}}", "kafka:\n  brokers: [k:1]\n  tls: {} # with the authorities of the system\n"} {
		if c, err := Parse("x", []byte(src)); err != nil || c.Kafka.TLS == nil {
			t.Errorf("%+v, %v", c.Kafka, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	c, err := Parse("x", []byte("embedded_broker: {dir: b}\n"))
	if err != nil || c.Broker.Port != defaultBrokerPort || c.Listen != "127.0.0.1:8480" || c.Kafka.Group == "" {
		t.Errorf("%+v, %v", c, err)
	}
	for address, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "0.0.0.0:1": false, ":1": false, "10.0.0.1:1": false, "x": false} {
		if Loopback(address) != want {
			t.Errorf("loopback %s: %v", address, !want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("kafka: {brokers: [k:9092]}"))
	f.Add([]byte("a: &a [*a]"))
	mutate.Fuzz(f, func(t *testing.T, src []byte) {
		if _, err := Parse("x", src); err != nil && err.Error() == "" {
			t.Error("empty error message")
		}
	})
}
