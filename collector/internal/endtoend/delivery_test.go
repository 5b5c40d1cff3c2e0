// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/queue"
	"stillwatch/collector/internal/sample"
	"stillwatch/collector/internal/store"
	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

const (
	alerts = 10_000 // of each case
	parts  = 6
)

// delivery is a test case with its own topics, group and database on a running Kafka cluster.
type delivery struct {
	*testing.T
	cluster *cluster.Cluster
	raced   bool // the collector runs in the test binary, under the race detector; otherwise it is the program as it is released
	client  *kafka.Client
	dir     string // of the database
	file    string
	store   *store.SQLite
	path    string
}

// TestDelivery checks that each alert in Kafka is stored exactly once, whatever fails. The race detector makes a collector several times slower. It
// watches one case for each thing that goes on beside storing: retries, rebalancing, new connections, permissions, new topics, rejected records.
func TestDelivery(t *testing.T) {
	if testing.Short() {
		testneed.Missing(t, testneed.KafkaNeed, "skipped by -short")
	}
	c := kafkatest.Start(t, cluster.Options{})
	for _, x := range []struct {
		name  string
		run   func(*delivery)
		raced bool
	}{
		{"collector killed in the middle", (*delivery).killed, false},
		{"database locked for a while", (*delivery).locked, true},
		{"disk full for a while", (*delivery).full, false},
		{"rejected records among the alerts", (*delivery).rejected, false},
		{"rebalance between two collectors", (*delivery).rebalance, true},
		{"missing permissions", (*delivery).unauthorized, true},
		{"topics created after the start", (*delivery).lateTopics, true},
		{"broker stopped and started in the middle", (*delivery).brokerDown, true},
		{"status of a sensor, and a rejected record", (*delivery).status, true},
		{"sensor killed in the middle", (*delivery).sensorKilled, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := &delivery{T: t, cluster: c, dir: t.TempDir(), raced: x.raced}
			d.topics()
			x.run(d)
		})
	}
}

// remove deletes the topics of the previous case.
func (d *delivery) remove() {
	d.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	names := []string{schemas.AlertTopic, schemas.IncidentTopic, schemas.DeviceTopic, schemas.EvidenceTopic, schemas.StatusTopic, schemas.PolicyTopic, schemas.SessionTopic, queue.DeadLetterTopic}
	if _, err := d.cluster.Client().DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: names}); err != nil {
		d.Fatal(err)
	}
}

// topics creates the topics again, with the command that operators use.
func (d *delivery) topics() {
	d.Helper()
	d.remove()
	d.createTopics()
}

func (d *delivery) createTopics() {
	d.Helper()
	file, _ := configure(d.T, d.dir, d.cluster.Brokers(cluster.Plaintext))
	until(d.T, "the topics are created", func() bool {
		out, err := command("topics", "init", "--config", file).CombinedOutput()
		return err == nil && bytes.Contains(out, []byte("all topics are configured correctly"))
	})
	d.client = d.cluster.Client() // has no metadata of the previous topics
}

// begin starts a collector on the database of the case.
func (d *delivery) begin() *process {
	d.Helper()
	if d.file == "" {
		d.file, d.path = configure(d.T, d.dir, d.cluster.Brokers(cluster.Plaintext))
		d.store = openStore(d.T, d.path)
	}
	if d.raced {
		return start(d.T, "--config", d.file)
	}
	path, err := builtCollector()
	if err != nil {
		d.Fatal(err)
	}
	return serving(d.T, exec.Command(path, "serve", "--config", d.file))
}

// fill produces the alerts from to to-1 with acks=all, like a sensor.
func (d *delivery) fill(from, to int) {
	d.Helper()
	for p := range parts {
		d.produce(p, sample.Records(from, to, p, parts))
	}
}

// produce sends records, and repeats what a broker refuses for the moment, as it does while a leader is elected.
func (d *delivery) produce(partition int, records []kafka.Record) {
	d.Helper()
	d.produceTo(schemas.AlertTopic, partition, records)
}

func (d *delivery) produceTo(topic string, partition int, records []kafka.Record) {
	d.Helper()
	for end := time.Now().Add(2 * time.Minute); len(records) > 0; {
		n := min(len(records), 500)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		res, err := d.client.Produce(ctx, &kafka.ProduceRequest{Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Compression: kafka.Zstd,
			Records: kafka.NewRecordReader(records[:n]...)})
		cancel()
		if err == nil {
			err = res.Error
		}
		var refused kafka.Error
		switch {
		case err == nil:
			records = records[n:]
		case errors.As(err, &refused) && refused.Temporary() && time.Now().Before(end):
			time.Sleep(100 * time.Millisecond)
		default:
			d.Fatal(err)
		}
	}
}

func (d *delivery) finish(n int) {
	d.Helper()
	until(d.T, fmt.Sprintf("%d alerts are stored", n), func() bool { return count(d.T, d.store) >= n })
	sample.CheckStored(d.T, d.store, n)
}

func (d *delivery) killed() {
	p := d.begin()
	d.fill(0, alerts/2)
	go d.fill(alerts/2, alerts)
	until(d.T, "some alerts are stored", func() bool { return count(d.T, d.store) > 0 })
	p.kill()
	n := count(d.T, d.store)
	if d.Logf("killed with %d of %d alerts stored", n, alerts); n >= alerts {
		d.Error("the collector was killed too late")
	}
	p = d.begin()
	d.finish(alerts)
	p.stop()
}

func (d *delivery) locked() {
	p := d.begin()
	other, err := sql.Open("sqlite", d.path)
	if err != nil {
		d.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	d.fill(0, alerts/2)
	until(d.T, "some alerts are stored", func() bool { return count(d.T, d.store) > 0 })
	if _, err := other.Exec(`PRAGMA busy_timeout = 60000; BEGIN IMMEDIATE`); err != nil {
		d.Fatal(err)
	}
	d.fill(alerts/2, alerts)
	before := count(d.T, d.store)
	until(d.T, "the collector reports that the database is locked", func() bool {
		code, why := p.ready()
		return code == 503 && strings.Contains(why, "locked") && p.metric("stillwatch_collector_store_retries_total") > 0
	})
	if n := count(d.T, d.store); n != before || n == alerts {
		d.Errorf("%d alerts were stored, then %d: the lock did not hold", before, n)
	}
	if _, err := other.Exec(`ROLLBACK`); err != nil {
		d.Fatal(err)
	}
	d.finish(alerts)
	until(d.T, "the collector is ready again", func() bool { code, _ := p.ready(); return code == 200 })
	p.stop()
}

func (d *delivery) full() {
	if os.Geteuid() != 0 {
		testneed.Missing(d.T, "root", "mounting a small disk requires root")
	}
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", 0, "size=64m"); err != nil {
		testneed.Missing(d.T, "root", "mount: %v", err)
	}
	d.Cleanup(func() {
		if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
			d.Error(err)
		}
	})
	p := d.begin()
	d.fill(0, 100)
	until(d.T, "some alerts are stored", func() bool { return count(d.T, d.store) == 100 })
	filler := filepath.Join(d.dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		d.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if f.Close(); !errors.Is(err, syscall.ENOSPC) {
		d.Fatal(err)
	}
	d.fill(100, alerts)
	until(d.T, "the collector reports that the disk is full", func() bool {
		code, why := p.ready()
		return code == 503 && strings.Contains(why, "full") && p.metric("stillwatch_collector_store_retries_total") > 2
	})
	if n := count(d.T, d.store); n == alerts {
		d.Error("the disk was not full")
	}
	if err := os.Remove(filler); err != nil {
		d.Fatal(err)
	}
	d.finish(alerts)
	p.stop()
}

func (d *delivery) rejected() {
	p := d.begin()
	d.fill(0, alerts/2)
	bad := [][]byte{[]byte("no JSON"), nil, []byte(`{"schema":"stillwatch.alert/1"}`), bytes.Repeat([]byte("["), 100_000), bytes.Repeat([]byte{0xff}, 900_000),
		[]byte("{\"\u202e\u009b31m\\u001b[2J\":\"x\"}")}
	for i, v := range bad {
		d.produce(i%parts, []kafka.Record{{Key: kafka.NewBytes([]byte("rejected")), Value: kafka.NewBytes(v), Headers: []kafka.Header{{Key: "ce_id", Value: []byte("x")}}}})
	}
	d.fill(alerts/2, alerts)
	d.finish(alerts)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: strings.Split(d.cluster.Brokers(cluster.Plaintext), ","), Topic: queue.DeadLetterTopic, MaxWait: 100 * time.Millisecond})
	defer r.Close()
	for range bad {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			d.Fatal(err)
		}
		h := map[string]string{}
		for _, x := range m.Headers {
			h[x.Key] = string(x.Value)
		}
		if h["sw_dead_reason"] == "" || h["sw_dead_topic"] != schemas.AlertTopic || h["sw_dead_partition"] == "" || h["sw_dead_offset"] == "" || h["ce_id"] != "x" {
			d.Errorf("headers %q", h)
		}
	}
	dead, err := d.store.DeadLetters(ctx, store.Page{})
	if err != nil || len(dead.Records) != len(bad) {
		d.Errorf("%d rejected records in the database, want %d; %v", len(dead.Records), len(bad), err)
	}
	until(d.T, "the lag is 0", func() bool { return caughtUp(p) })
	if log := p.output(); !utf8.ValidString(log) || strings.ContainsAny(log, "\u202e\u009b\x1b") || !strings.Contains(log, `\u202e`) {
		d.Errorf("the log is not sanitized or has no rejected record: %q", log)
	}
	p.stop()
}

// caughtUp reports whether the lag that the collector measures every few seconds is 0.
func caughtUp(p *process) bool {
	for n := range parts {
		lag, seen := p.findMetric(fmt.Sprintf(`stillwatch_collector_lag_records{partition="%d",topic="%s"}`, n, schemas.AlertTopic))
		if !seen || lag > 0 {
			return false
		}
	}
	return true
}

func (d *delivery) rebalance() {
	a := d.begin()
	d.fill(0, 3000)
	until(d.T, "the first collector has stored alerts", func() bool { return count(d.T, d.store) > 0 })
	b := d.begin()
	d.fill(3000, 6000)
	both := func() bool { return read(a) > 0 && read(b) > 0 }
	for n := 6000; n < 8000; n += 200 { // until both have partitions
		d.fill(n, n+200)
		time.Sleep(200 * time.Millisecond)
	}
	until(d.T, "both collectors read", both)
	go d.fill(8000, alerts)
	a.stop()
	d.finish(alerts)
	b.stop()
}

func read(p *process) float64 { return p.metric("stillwatch_collector_store_seconds_count") }

func (d *delivery) lateTopics() {
	d.remove()
	p := d.begin()
	until(d.T, "the collector reports a missing topic", func() bool {
		code, why := p.ready()
		return code == 503 && strings.Contains(why, schemas.AlertTopic)
	})
	d.createTopics()
	d.fill(0, 1000)
	d.finish(1000)
	until(d.T, "the collector is ready", func() bool { code, _ := p.ready(); return code == 200 })
	p.stop()
}
