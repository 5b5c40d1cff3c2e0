// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

func alertID(n int) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// value gives the n-th alert as it lies in Kafka.
func value(t testing.TB, n int) []byte {
	t.Helper()
	at := schemas.Time(1_780_000_000_000_000_000) + schemas.Time(n)*1e9
	a := &schemas.Alert{
		Schema: schemas.AlertSchema, ID: alertID(n), Revision: 1, Action: "create",
		Time:   schemas.AlertTime{EventStart: at, EventEnd: at, DetectedAt: at, EmittedAt: &at},
		Sensor: schemas.AlertSensor{ID: "sensor-1", BootID: "boot", Seq: uint64(n + 1)},
		Rule:   schemas.AlertRule{ID: "D01", Name: "Unexpected outbound", Kind: "unexpected_outbound", Version: 1},
		Title:  fmt.Sprintf("camera-%d opened a session outward", n%100), Message: "Expected to open nothing; opened 443/tcp.",
		Severity: "high", RiskScore: 80, Confidence: 80,
		Device: schemas.AlertDevice{Key: fmt.Sprintf("camera-%d", n%100), IP: netip.AddrFrom4([4]byte{10, 20, 0, byte(n % 100)}), Role: "camera", Expect: "silent"},
		Dedupe: schemas.AlertDedupe{Key: "k", WindowS: 86400, Count: 1, FirstSeen: at, LastSeen: at},
	}
	line, err := schemas.AppendAlert(nil, a)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func openStore(t testing.TB) *store.SQLite {
	t.Helper()
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newMetrics() *Metrics { return NewMetrics(prometheus.NewRegistry()) }

// whole fails the test unless the store holds exactly the alerts 0 to n-1 and misses none of their numbers.
func whole(t *testing.T, s *store.SQLite, n int) {
	t.Helper()
	ctx := context.Background()
	seen := map[string]int{}
	for p := (store.Page{Limit: 1000}); ; {
		list, err := s.Alerts(ctx, store.AlertFilter{}, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list.Alerts {
			seen[a.Alert.ID]++
		}
		if p.Cursor = list.Next; p.Cursor == "" {
			break
		}
	}
	for i := range n {
		if seen[alertID(i)] != 1 {
			t.Fatalf("alert %d is there %d times", i, seen[alertID(i)])
		}
	}
	sensors, err := s.Sensors(ctx)
	if err != nil || len(seen) != n || len(sensors) != 1 || sensors[0].Missing != 0 || sensors[0].Alerts != int64(n) {
		t.Fatalf("%d alerts, want %d; sensors %+v, %v", len(seen), n, sensors, err)
	}
}

// fill produces the alerts from to to-1 to partitions 0 to parts-1 in turn, as a sensor would: acks=all.
func fill(t testing.TB, c *kafka.Client, from, to, parts int) {
	t.Helper()
	for p := range parts {
		var records []kafka.Record
		for n := from; n < to; n++ {
			if n%parts == p {
				records = append(records, kafka.Record{Key: kafka.NewBytes(fmt.Appendf(nil, "camera-%d", n%100)), Value: kafka.NewBytes(value(t, n))})
			}
		}
		produce(t, c, schemas.AlertTopic, p, records)
	}
}

func produce(t testing.TB, c *kafka.Client, topic string, partition int, records []kafka.Record) {
	t.Helper()
	for len(records) > 0 {
		n := min(len(records), 500)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		res, err := c.Produce(ctx, &kafka.ProduceRequest{Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Compression: kafka.Zstd, Records: kafka.NewRecordReader(records[:n]...)})
		cancel()
		if err == nil {
			err = res.Error
		}
		if err != nil {
			t.Fatal(err)
		}
		records = records[n:]
	}
}

// until waits for cond, as long as a busy machine may need.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in two minutes it was not so: %s", what)
		}
	}
}

func count(t *testing.T, s *store.SQLite) int {
	t.Helper()
	n, err := s.CountAlerts(context.Background(), store.AlertFilter{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
