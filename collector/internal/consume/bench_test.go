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

// benchReader is a Reader that returns prepared messages.
type benchReader struct {
	messages chan kafka.Message
	done     chan struct{} // closed when all are committed
	left     int
}

func (e *benchReader) FetchMessage(ctx context.Context) (kafka.Message, error) {
	select {
	case m := <-e.messages:
		return m, nil
	case <-ctx.Done():
		return kafka.Message{}, ctx.Err()
	}
}

func (e *benchReader) CommitMessages(_ context.Context, ms ...kafka.Message) error {
	if e.left -= len(ms); e.left == 0 {
		close(e.done)
	}
	return nil
}

func (e *benchReader) Close() error { return nil }

// BenchmarkIngest validates, stores and commits 20,000 alerts from a reader without Kafka.
func BenchmarkIngest(b *testing.B) {
	const size = 20_000
	n, bytes, used := 0, 0, time.Duration(0)
	s := openStore(b)
	for b.Loop() {
		b.StopTimer()
		r := &benchReader{make(chan kafka.Message, size), make(chan struct{}), size}
		for range size {
			m := kafka.Message{Topic: schemas.AlertTopic, Value: sample.JSON(n)}
			bytes += len(m.Value)
			r.messages <- m
			n++
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		before := cpuTime(b)
		b.StartTimer()
		go func() { ended <- New(Config{}, r, s, &fakeQueue{}, newMetrics()).Run(ctx) }()
		<-r.done
		cancel()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
		used += cpuTime(b) - before
	}
	b.ReportMetric(float64(used.Microseconds())/float64(n), "µs-cpu/alert")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "alerts/s")
	b.ReportMetric(float64(bytes)/float64(n), "B/alert")
}

// cpuTime returns the CPU time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
