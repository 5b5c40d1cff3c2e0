// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"stillwatch/collector/internal/config"
	"stillwatch/internal/metrictable/metrictest"
	"stillwatch/internal/testneed"
)

// certificate writes a self-signed certificate for 127.0.0.1 and returns its paths and a pool that trusts it.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(c)
	return cert, key, pool
}

func settingsOf(t *testing.T) config.Config {
	t.Helper()
	c, dir := config.Default(), t.TempDir()
	c.Listen, c.Health, c.Database = "127.0.0.1:0", "127.0.0.1:0", filepath.Join(dir, "c.db")
	c.Broker = &config.Broker{Dir: filepath.Join(dir, "broker")}
	return c
}

func TestServeTLSAndShutdown(t *testing.T) {
	c := settingsOf(t)
	var pool *x509.CertPool
	c.TLS.Cert, c.TLS.Key, pool = certificate(t)
	s, err := New(context.Background(), c, "test", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	res, err := client.Get(s.URL() + "/healthz")
	if err != nil || res.StatusCode != http.StatusOK || res.TLS.Version < tls.VersionTLS12 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Fatalf("%+v, %v", res, err)
	}
	res.Body.Close()
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}}
	if _, err := old.Get(s.URL() + "/healthz"); err == nil {
		t.Error("TLS 1.1 is served")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := client.Get(s.URL() + "/healthz"); err == nil {
		t.Error("it serves after shutdown")
	}
}

func TestNewErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		edit func(*config.Config)
		want string
	}{
		"database in no folder": {func(c *config.Config) { c.Database = "/nowhere/at/all.db" }, "database"},
		"database that is none": {func(c *config.Config) { c.Database = write(t, strings.Repeat("no database ", 1000)) }, "not a database"},
		"port that is taken":    {func(c *config.Config) { c.Listen = taken.Addr().String() }, "in use"},
		"health port taken":     {func(c *config.Config) { c.Health = taken.Addr().String() }, "health"},
		"no certificate":        {func(c *config.Config) { c.TLS.Cert, c.TLS.Key = "/none", "/none" }, "tls: "},
		"broker's folder":       {func(c *config.Config) { c.Broker.Dir = write(t, "a file") }, "broker"},
		"no authority": {func(c *config.Config) {
			c.Broker, c.Kafka.Brokers, c.Kafka.TLS = nil, []string{"k:1"}, &config.KafkaTLS{CA: write(t, "x")}
		}, "no PEM certificate"},
		"no password": {func(c *config.Config) {
			c.Broker, c.Kafka.Brokers, c.Kafka.SASL = nil, []string{"k:1"}, &config.SASL{Mechanism: "PLAIN", User: "u", PasswordFile: "/none"}
		}, "password_file"},
	} {
		settings := settingsOf(t)
		c.edit(&settings)
		if _, err := New(context.Background(), settings, "test", zap.NewNop()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMetricsPageIsCurrent(t *testing.T) {
	metrictest.CheckPage(t, filepath.Join(testneed.Root(t), "docs", "metrics.md"), metrics("").Markdown())
}

// TestEveryMetricIsDocumented checks that docs/metrics.md has every metric that a new collector exports, and that those of the server have values.
func TestEveryMetricIsDocumented(t *testing.T) {
	s, err := New(context.Background(), settingsOf(t), "1.2.3", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(testneed.Root(t), "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "stillwatch_") {
			continue // of the Go runtime or the process
		}
		values[f.GetName()] = fmt.Sprint(f.GetMetric()[0])
		if row := fmt.Sprintf("\n| `%s` | %s |", f.GetName(), strings.ToLower(f.GetType().String())); !strings.Contains(string(page), row) {
			t.Errorf("docs/metrics.md lacks %s", row)
		}
	}
	for _, name := range metrics("").Names() {
		if values[name] == "" && name != "stillwatch_collector_sensor_heard" { // that has a series for each sensor, and there is none yet
			t.Errorf("%s has no value", name)
		}
	}
	if info := values["stillwatch_collector_build_info"]; !strings.Contains(info, `"1.2.3"`) || !strings.Contains(info, runtime.Version()) {
		t.Error(info)
	}
}
