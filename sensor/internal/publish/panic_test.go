// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stillwatch/schemas"
)

// TestPanicOfTheSpoolIsAFault has the write of a segment panic: that is a fault, in one line, until a write succeeds, and nothing is lost.
func TestPanicOfTheSpoolIsAFault(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	s := openSpool(t, t.TempDir(), SpoolOptions{write: func(f *os.File, at int64, all []entry) (int64, time.Duration, error) {
		if broken.Load() {
			panic("a bug")
		}
		return write(f, at, all)
	}})
	if _, err := s.Append(Record{Topic: "t", Key: "k", Value: []byte("kept")}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a fault", func() bool { return s.Stats().Fault != nil })
	if text := s.Stats().Fault.Error(); !strings.Contains(text, "internal error in the writer of the spool: a bug; please report it") || strings.Contains(text, "\n") {
		t.Errorf("fault %q", text)
	}
	broken.Store(false)
	waitFor(t, "a write", func() bool { return s.Sync() == nil })
	if st := s.Stats(); st.Fault != nil || st.Appended != 1 {
		t.Errorf("%+v", st)
	}
	if got := drain(t, s); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("%q", got)
	}
}

// TestPanicOfTheDrainIsAFault has the report of a failed delivery panic: the delivery ends with a fault, in one line, and the records stay.
func TestPanicOfTheDrainIsAFault(t *testing.T) {
	var calls atomic.Int32
	told := make(chan string, 10)
	dir := t.TempDir()
	p, err := NewPublisher(PublisherConfig{Dir: dir, Kafka: KafkaConfig{Brokers: []string{closedPort}}, Sensor: schemas.AlertSensor{ID: "hq-span-1", Site: "hq"},
		Report: func(err error) {
			if calls.Add(1) == 1 {
				panic("a bug")
			}
			told <- err.Error()
		}}, NewSequencer(false))
	if err != nil {
		t.Fatal(err)
	}
	a := numberedAlert(1)
	p.sequencer.Stamp(a)
	if err := p.Alert(a); err != nil {
		t.Fatal(err)
	}
	const want = "internal error in the publisher: a bug; please report it"
	if text := <-told; text != want {
		t.Errorf("told %q", text)
	}
	if reasons := p.Ready(); !slices.Equal(reasons, []string{want}) {
		t.Errorf("not ready: %q", reasons)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if got := drain(t, openSpool(t, dir, SpoolOptions{})); len(got) != 1 || !strings.Contains(got[0], a.ID) {
		t.Errorf("%d records are left: %q", len(got), got)
	}
}
