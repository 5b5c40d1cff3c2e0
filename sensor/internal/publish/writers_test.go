// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
	"testing"
	"time"

	"stillwatch/schemas"
)

// memory is a sink that keeps what it is given.
type memory struct{ bytes.Buffer }

func (m *memory) Put(line []byte) error { m.Write(line); return nil }
func (m *memory) Flush() error          { return nil }
func (m *memory) Close() error          { return nil }

func TestSequencerStamps(t *testing.T) {
	s := NewSequencer(true)
	s.now = func() time.Time { return time.Unix(1000, 7) }
	var a, b schemas.Alert
	s.Stamp(&a)
	s.Stamp(&b)
	if a.Sensor.Seq != 1 || b.Sensor.Seq != 2 {
		t.Errorf("sequence %d, %d, want 1, 2", a.Sensor.Seq, b.Sensor.Seq)
	}
	if a.Time.EmittedAt == nil || a.Time.EmittedAt.String() != "1970-01-01T00:16:40.000000007Z" || !a.Time.Replay {
		t.Errorf("stamped %v, replay %v", a.Time.EmittedAt, a.Time.Replay)
	}
	if len(a.Sensor.BootID) != 32 || a.Sensor.BootID != b.Sensor.BootID {
		t.Errorf("boot ids %q, %q, want the same 32 digits", a.Sensor.BootID, b.Sensor.BootID)
	}
	if NewSequencer(true).boot == s.boot {
		t.Error("two runs have the same boot id")
	}
}

func TestRecordsAreLines(t *testing.T) {
	var m memory
	sessions, devices, alerts := Sessions(&m), Devices(&m), Alerts(&m)
	hostile := "two\nlines\x1b[31m\x9b"
	for range 2 {
		if err := sessions(&schemas.Session{Schema: schemas.SessionSchema, App: hostile, Initiator: schemas.Endpoint{IP: netip.MustParseAddr("::1")}}); err != nil {
			t.Fatal(err)
		}
		if err := devices(&schemas.Device{Schema: schemas.DeviceSchema, Key: hostile}); err != nil {
			t.Fatal(err)
		}
		if err := alerts(&schemas.Alert{Schema: schemas.AlertSchema, Title: hostile}); err != nil {
			t.Fatal(err)
		}
	}
	lines := bytes.Split(bytes.TrimSuffix(m.Bytes(), []byte("\n")), []byte("\n"))
	want := []string{schemas.SessionSchema, schemas.DeviceSchema, schemas.AlertSchema}
	if len(lines) != 6 {
		t.Fatalf("%d lines, want 6:\n%s", len(lines), m.Bytes())
	}
	for i, line := range lines {
		var got struct{ Schema string }
		if err := json.Unmarshal(line, &got); err != nil || got.Schema != want[i%3] {
			t.Errorf("line %d is %q (%v), want a %s", i, line, err, want[i%3])
		}
	}
	if bytes.ContainsAny(m.Bytes(), "\x1b") {
		t.Error("a control character was written as it came")
	}
}

func TestEncodingErrorIsReturned(t *testing.T) {
	var m memory
	a := &schemas.Alert{Evidence: []schemas.AlertEvidence{{Data: map[string]any{"x": math.NaN()}}}}
	if err := Alerts(&m)(a); err == nil || m.Len() > 0 {
		t.Errorf("gave %v and wrote %q, want an error and nothing", err, m.Bytes())
	}
}

func TestSessionsDoNotAllocate(t *testing.T) {
	var m memory
	m.Grow(1 << 20)
	write := Sessions(&m)
	s := &schemas.Session{Schema: schemas.SessionSchema, Proto: "tcp", State: "closed", App: "tls"}
	if n := testing.AllocsPerRun(100, func() {
		if err := write(s); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a session", n)
	}
}
