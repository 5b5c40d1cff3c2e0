// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func produce(t *testing.T, addr string, from, to int) {
	t.Helper()
	var records []kafka.Record
	for n := from; n < to; n++ {
		records = append(records, kafka.Record{Key: kafka.NewBytes([]byte("k")), Value: kafka.NewBytes(fmt.Appendf(nil, "record %d", n))})
	}
	c := &kafka.Client{Addr: kafka.TCP(addr), Timeout: 10 * time.Second}
	res, err := c.Produce(context.Background(), &kafka.ProduceRequest{Topic: "t", Partition: 1, RequiredAcks: kafka.RequireAll, Compression: kafka.Zstd, Records: kafka.NewRecordReader(records...)})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		t.Fatal(err)
	}
}

func fetch(t *testing.T, addr string, n int) (values []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, GroupID: "g", GroupTopics: []string{"t"}, MaxWait: 100 * time.Millisecond, StartOffset: kafka.FirstOffset, JoinGroupBackoff: time.Second})
	defer r.Close()
	for range n {
		m, err := r.FetchMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, string(m.Value))
		if err := r.CommitMessages(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	return values
}

func TestRecordsAndOffsetsSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	b, err := Start(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if host, _, err := net.SplitHostPort(b.Addr()); err != nil || !net.ParseIP(host).IsLoopback() {
		t.Errorf("it listens on %s", b.Addr())
	}
	c := &kafka.Client{Addr: kafka.TCP(b.Addr()), Timeout: 10 * time.Second}
	topic := kafka.TopicConfig{Topic: "t", NumPartitions: 2, ReplicationFactor: 1}
	if res, err := c.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}}); err != nil || res.Errors["t"] != nil {
		t.Fatal(res, err)
	}
	produce(t, b.Addr(), 0, 5)
	if got := fetch(t, b.Addr(), 3); got[2] != "record 2" {
		t.Errorf("first part %q", got)
	}
	b.Close()
	if b, err = Start(Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	produce(t, b.Addr(), 5, 6)
	got := fetch(t, b.Addr(), 3)
	for n, v := range got {
		if v != fmt.Sprintf("record %d", n+3) {
			t.Errorf("after the restart: %q", got)
		}
	}
}
