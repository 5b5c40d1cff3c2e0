// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/sample"
	"stillwatch/internal/testlab/cluster"
	"stillwatch/schemas"
)

// freePort returns a port that is not in use.
func freePort(t *testing.T) int {
	t.Helper()
	port, err := cluster.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestEmbeddedBrokerKilled kills the process of collector and broker while alerts arrive, and checks that all acknowledged alerts are
// stored once after the restart.
func TestEmbeddedBrokerKilled(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	file, database := filepath.Join(dir, "collector.yaml"), filepath.Join(dir, "collector.db")
	text := fmt.Sprintf("listen: 127.0.0.1:0\nhealth: 127.0.0.1:0\ndatabase: collector.db\nembedded_broker: {dir: broker, port: %d}\n", port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "--config", file)
	s := openStore(t, database)
	until(t, "the collector is ready", func() bool { code, _ := p.ready(); return code == 200 })

	const parts, size = 4, 50
	client := &kafka.Client{Addr: kafka.TCP(fmt.Sprintf("127.0.0.1:%d", port)), Timeout: time.Minute, Transport: &kafka.Transport{MetadataTTL: time.Second}}
	send := func(n int) error {
		for part := range parts {
			res, err := client.Produce(context.Background(), &kafka.ProduceRequest{Topic: schemas.AlertTopic, Partition: part, RequiredAcks: kafka.RequireAll,
				Records: kafka.NewRecordReader(sample.Records(n, n+size, part, parts)...)})
			if err == nil {
				err = res.Error
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	const total, killAt = 2000, 1000
	for n := 0; n < total; n += size {
		if n == killAt {
			p.kill()
			t.Logf("killed with %d of %d acknowledged alerts stored", count(t, s), n)
			if err := send(n); err == nil {
				t.Fatal("a killed broker has acknowledged")
			}
			p = start(t, "--config", file)
		}
		until(t, "the broker acknowledges", func() bool { return send(n) == nil })
	}
	until(t, "all alerts are stored", func() bool { return count(t, s) >= total })
	sample.CheckStored(t, s, total)
	out, err := command("topics", "check", "--config", file).CombinedOutput()
	if err != nil || string(out) != "all topics are configured correctly\n" {
		t.Errorf("topics: %v %s", err, out)
	}
	p.stop()
}
