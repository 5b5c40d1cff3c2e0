// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
	"stillwatch/schemas"
)

// benchAlert returns an alert of about 1.5 kB as JSON.
func benchAlert(i int) *schemas.Alert {
	a := numberedAlert(i)
	for len(a.RelatedSessions) < 10 {
		a.RelatedSessions = append(a.RelatedSessions, "1:"+numberedID(i*31 + len(a.RelatedSessions))[:26]+"=")
	}
	return a
}

// BenchmarkSpoolAppend puts alerts into the spool; the last one is on disk when the clock stops.
func BenchmarkSpoolAppend(b *testing.B) {
	s, err := OpenSpool(b.TempDir(), SpoolOptions{MaxBytes: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	value, err := schemas.AppendAlert(nil, benchAlert(1))
	if err != nil {
		b.Fatal(err)
	}
	env := newEnvelope("hq-span-1", strings.Repeat("0", 32), false)
	r := env.alert(benchAlert(1), value)
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if _, err := s.Append(r); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Sync(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}

// BenchmarkDrain empties a full spool to real Kafka.
func BenchmarkDrain(b *testing.B) {
	c := kafkatest.Start(b, cluster.Options{Fast: true})
	kafkatest.Topic(b, c, schemas.AlertTopic, 6, nil)
	round := func(n int) (took, used time.Duration) {
		s, err := OpenSpool(b.TempDir(), SpoolOptions{MaxBytes: 1 << 40})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		env := newEnvelope("hq-span-1", strings.Repeat("0", 32), false)
		for i := range n {
			a := benchAlert(i)
			value, err := schemas.AppendAlert(nil, a)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.Append(env.alert(a, value)); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Sync(); err != nil {
			b.Fatal(err)
		}
		d, err := NewDrain(s, plainConfig(c), nil)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		before, began := processor(b), time.Now()
		go d.Run(ctx)
		for s.Stats().Records > 0 {
			time.Sleep(time.Millisecond)
		}
		return time.Since(began), processor(b) - before
	}
	const n = 200_000
	round(n) // the broker's compiler warms up
	for b.Loop() {
		took, used := round(n)
		b.ReportMetric(n/took.Seconds(), "alerts/s")
		b.ReportMetric(float64(used.Microseconds())/n, "µs-cpu/alert")
	}
}

// processor returns the processor time of this process, without the broker.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkAlertToAcknowledged hands in one alert at a time: encoded, synced to disk, produced, acknowledged by all.
func BenchmarkAlertToAcknowledged(b *testing.B) {
	c := kafkatest.Start(b, cluster.Options{Fast: true})
	kafkatest.Topic(b, c, schemas.AlertTopic, 6, nil)
	p := publisher(b, b.TempDir(), c.Brokers(cluster.Plaintext))
	defer p.Close()
	send(b, p, 0, 2000)
	if err := p.Wait(b.Context(), time.Minute); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		send(b, p, i, i+1)
		for p.Spool().Records > 0 {
			time.Sleep(50 * time.Microsecond)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
