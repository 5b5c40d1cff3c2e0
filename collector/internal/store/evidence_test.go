// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"stillwatch/schemas"
)

// packetsOf returns packets of the n-th alert. The store does not read them.
func packetsOf(n int, sensor string, data string) *schemas.Evidence {
	sum := sha256.Sum256([]byte(data))
	return &schemas.Evidence{Alert: alertID(n), SHA256: hex.EncodeToString(sum[:]), Packets: 2, Sensor: schemas.EvidenceSensor{ID: sensor}, Data: []byte(data)}
}

// TestEvidenceIsStoredOnce stores packets before their alert, after it, and twice, and packets that another sensor sends for the alert.
func TestEvidenceIsStoredOnce(t *testing.T) {
	s, ctx := open(t), context.Background()
	first, second, foreign := packetsOf(0, "sensor-1", "first"), packetsOf(0, "sensor-1", "second"), packetsOf(1, "sensor-2", "foreign")
	if got := apply(t, s, Batch{Evidence: []*schemas.Evidence{first, foreign}}); got.Evidence != 2 {
		t.Fatalf("%+v", got)
	}
	if _, err := s.Evidence(ctx, first.SHA256); !errors.Is(err, ErrNotFound) {
		t.Errorf("packets without an alert: %v", err)
	}
	apply(t, s, records(t, 0, 2))
	if got := apply(t, s, Batch{Evidence: []*schemas.Evidence{first, second, second}}); got.Evidence != 1 || got.Duplicates != 2 {
		t.Errorf("%+v", got)
	}
	for _, want := range []*schemas.Evidence{first, second} {
		e, err := s.Evidence(ctx, want.SHA256)
		if err != nil || e.Alert != want.Alert || string(e.Data) != string(want.Data) || e.Packets != 2 || e.Stored.IsZero() {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if _, err := s.Evidence(ctx, foreign.SHA256); !errors.Is(err, ErrNotFound) {
		t.Errorf("packets of another sensor are served: %v", err)
	}
	if _, err := s.Apply(ctx, Batch{Evidence: []*schemas.Evidence{packetsOf(1, "sensor-2", "more")}}); !errors.Is(err, ErrRejected) {
		t.Errorf("packets of another sensor are stored: %v", err)
	}
	a := record(t, 0).Alert
	a.Evidence = []schemas.AlertEvidence{{Kind: "count"}, {PCAP: &schemas.PCAP{SHA256: first.SHA256}}, {PCAP: &schemas.PCAP{SHA256: foreign.SHA256}}}
	if has, err := s.HasEvidence(ctx, a); err != nil || !has[first.SHA256] || has[foreign.SHA256] {
		t.Errorf("%v, %v", has, err)
	}
}

// TestOldEvidenceIsDeleted trims by size and by age.
func TestOldEvidenceIsDeleted(t *testing.T) {
	s, ctx := open(t), context.Background()
	apply(t, s, records(t, 0, 1))
	for _, data := range []string{"0000000001", "0000000002", "0000000003"} {
		apply(t, s, Batch{Evidence: []*schemas.Evidence{packetsOf(0, "sensor-1", data)}})
	}
	for _, c := range []struct {
		most          int64
		before        time.Time
		dropped, left int64
	}{
		{30, time.Now().Add(-time.Hour), 0, 3},
		{29, time.Now().Add(-time.Hour), 1, 2},
		{10, time.Now().Add(-time.Hour), 1, 1},
		{1000, time.Now().Add(time.Hour), 1, 0},
	} {
		n, err := s.TrimEvidence(ctx, c.most, c.before)
		files, size, sizeErr := s.EvidenceSize(ctx)
		if err != nil || sizeErr != nil || n != c.dropped || files != c.left || size != 10*c.left {
			t.Errorf("%d bytes: %d deleted, %d left with %d bytes, %v, %v", c.most, n, files, size, err, sizeErr)
		}
		if _, err := s.Evidence(ctx, packetsOf(0, "", "0000000003").SHA256); (err == nil) != (c.left > 0) {
			t.Errorf("the latest packets: %v", err)
		}
	}
}
