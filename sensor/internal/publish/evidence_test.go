// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/schemas"
)

// TestEvidenceDoesNotBlockAlerts fills the retry queue with packets of alerts whose topic is missing: they move to the dead-letter file, and alerts
// stay. Packets that wait because no broker can be reached stay, too.
func TestEvidenceDoesNotBlockAlerts(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolOptions{})
	for _, r := range []Record{
		{Rank: RankEvidence, Topic: schemas.EvidenceTopic, Key: "a", Value: []byte("packets 1")},
		{Rank: RankHigh, Topic: schemas.AlertTopic, Key: "k", Value: []byte("alert")},
		{Rank: RankEvidence, Topic: schemas.EvidenceTopic, Key: "b", Value: []byte("packets 2")},
	} {
		if _, err := s.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	d, err := NewDrain(s, KafkaConfig{Brokers: []string{"127.0.0.1:1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	q := &retryQueue{topics: map[string]*topicQueue{}}
	batch := s.Next(t.Context(), 10)
	q.put(q.due(batch, time.Now()), batch, time.Now())
	d.record(q, map[string]error{schemas.EvidenceTopic: errors.New("no broker answers")})
	d.giveUpEvidence(q)
	if n := s.Stats().Records; n != 3 {
		t.Fatalf("%d records are left although no broker was reached", n)
	}
	d.record(q, map[string]error{schemas.EvidenceTopic: &DeliveryError{Cause: CauseNoTopic, Topic: schemas.EvidenceTopic, Text: "there is no topic"}})
	d.giveUpEvidence(q)
	if n := s.Stats().Records; n != 1 || len(q.topics[schemas.AlertTopic].records) != 1 || len(q.topics[schemas.EvidenceTopic].records) != 0 {
		t.Errorf("%d records are left: %+v", n, q.topics)
	}
	file, err := os.ReadFile(filepath.Join(dir, "dead-letter.jsonl"))
	if err != nil || strings.Count(string(file), "\n") != 2 || !strings.Contains(string(file), "packets 2") || !strings.Contains(string(file), "there is no topic") {
		t.Errorf("%v: %s", err, file)
	}
	if st := d.Stats(); st.Rejected != 2 || st.Errors[CauseTooLarge] != 0 {
		t.Errorf("%+v", st)
	}
}

// TestSpoolOfTheFirstVersion reads records that were written before packets of alerts had a rank.
func TestSpoolOfTheFirstVersion(t *testing.T) {
	for old, want := range map[Rank]Rank{0: RankSession, 1: RankDevice, 2: RankInformational, 6: RankCritical} {
		r := sampleRecord(1)
		r.Rank = old
		b := resealed(appendRecord(nil, &r), firstVersion)
		got, _, err := readRecord(b)
		if err != nil || got.Rank != want {
			t.Errorf("rank %d: %v %v, want %s", old, err, got.Rank, want)
		}
		if again, _, err := readRecord(b); err != nil || again.Rank != want {
			t.Errorf("rank %d, read again: %v %v", old, err, again.Rank)
		}
	}
	r := sampleRecord(1)
	for version, rank := range map[byte]Rank{firstVersion: 7, 3: 1, 0: 1} {
		r.Rank = rank
		if _, _, err := readRecord(resealed(appendRecord(nil, &r), version)); !errors.Is(err, errBad) {
			t.Errorf("version %d, rank %d: %v", version, rank, err)
		}
	}
}

// resealed returns a record with another version and the checksum of it.
func resealed(b []byte, version byte) []byte {
	b = bytes.Clone(b)
	b[headBytes] = version
	sum := castagnoli(b[headBytes:])
	b[8], b[9], b[10], b[11] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	return b
}
