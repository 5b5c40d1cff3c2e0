// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/schemas"
)

func open(t testing.TB) *SQLite {
	t.Helper()
	s, err := Open(context.Background(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// alertID returns the n-th id in the form of the schema.
func alertID(n int) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

const day = schemas.Time(1_780_000_000_000_000_000) // a time in 2026

// record returns the first revision of the n-th alert, changed by edit.
func record(t testing.TB, n int, edit ...func(*schemas.Alert)) AlertRecord {
	t.Helper()
	at := day + schemas.Time(n)*1e9
	port := uint16(443)
	device := netip.AddrFrom4([4]byte{10, 20, byte(n >> 8), byte(n)})
	a := &schemas.Alert{
		Schema: schemas.AlertSchema, ID: alertID(n), Revision: 1, Action: "create",
		Time:   schemas.AlertTime{EventStart: at, EventEnd: at + 1e9, DetectedAt: at + 1e9, EmittedAt: &at},
		Sensor: schemas.AlertSensor{ID: "sensor-1", BootID: "boot", Seq: uint64(n + 1)},
		Rule:   schemas.AlertRule{ID: "D01", Name: "Unexpected outbound", Kind: "unexpected_outbound", Version: 1},
		Title:  fmt.Sprintf("camera-%d opened a session outward", n), Message: "Expected to open nothing; opened 443/tcp.",
		Severity: severities()[n%5], RiskScore: n % 101, Confidence: 80,
		Device:  schemas.AlertDevice{Key: fmt.Sprintf("camera-%d", n), IP: device, Role: "camera", Expect: "silent"},
		Peer:    &schemas.AlertPeer{IP: netip.MustParseAddr("198.51.100.23"), Port: &port, Scope: "external", Domain: &schemas.Domain{Name: "Relay.example.net", Source: "sni"}},
		Session: &schemas.Session{Schema: schemas.SessionSchema, Start: at, End: at, Initiator: schemas.Endpoint{IP: device}, Responder: schemas.Endpoint{IP: netip.MustParseAddr("198.51.100.23")}, InitiatorBasis: "syn", Proto: "tcp", CommunityID: fmt.Sprintf("1:LQU9qZlK+B5F3KDmev6m5P%05d=", n), State: "closed"},
		Dedupe:  schemas.AlertDedupe{Key: "k", WindowS: 86400, Count: 1, FirstSeen: at, LastSeen: at},
	}
	for _, e := range edit {
		e(a)
	}
	line, err := schemas.AppendAlert(nil, a)
	if err != nil {
		t.Fatal(err)
	}
	return AlertRecord{a, line}
}

func records(t testing.TB, from, to int, edit ...func(*schemas.Alert)) (b Batch) {
	t.Helper()
	for n := from; n < to; n++ {
		b.Alerts = append(b.Alerts, record(t, n, edit...))
	}
	return b
}

func apply(t testing.TB, s *SQLite, b Batch) Applied {
	t.Helper()
	got, err := s.Apply(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
