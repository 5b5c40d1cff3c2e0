// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"context"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sys/unix"

	"stillwatch/collector/internal/sample"
	"stillwatch/schemas"
)

// endless is a reader that gives prepared alerts until there are enough, and costs nothing.
type endless struct {
	messages chan kafka.Message
	done     chan struct{} // closed when the last is committed
	left     int
}

func (e *endless) FetchMessage(ctx context.Context) (kafka.Message, error) {
	select {
	case m := <-e.messages:
		return m, nil
	case <-ctx.Done():
		return kafka.Message{}, ctx.Err()
	}
}

func (e *endless) CommitMessages(_ context.Context, ms ...kafka.Message) error {
	if e.left -= len(ms); e.left == 0 {
		close(e.done)
	}
	return nil
}

func (e *endless) Close() error { return nil }

// BenchmarkIngest takes 20,000 alerts from a reader, validates and stores them and commits: what the collector does with
// what Kafka has given.
func BenchmarkIngest(b *testing.B) {
	const size = 20_000
	n, bytes, used := 0, 0, time.Duration(0)
	s := openStore(b)
	for b.Loop() {
		b.StopTimer()
		r := &endless{make(chan kafka.Message, size), make(chan struct{}), size}
		for range size {
			m := kafka.Message{Topic: schemas.AlertTopic, Value: sample.JSON(n)}
			bytes += len(m.Value)
			r.messages <- m
			n++
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		before := processor(b)
		b.StartTimer()
		go func() { ended <- New(Config{}, r, s, &letterbox{}, newMetrics()).Run(ctx) }()
		<-r.done
		cancel()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
		used += processor(b) - before
	}
	b.ReportMetric(float64(used.Microseconds())/float64(n), "µs-cpu/alert")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "alerts/s")
	b.ReportMetric(float64(bytes)/float64(n), "B/alert")
}

// processor gives the processor time that this process has used.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
