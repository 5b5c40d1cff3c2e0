// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"stillwatch/schemas"
)

// EvidenceRow is the packets of an alert.
type EvidenceRow struct {
	Alert   string // id
	SHA256  string
	Packets int
	Stored  time.Time
	Data    []byte // pcapng
}

// evidence stores the packets of alerts. Packets from another sensor than that of a stored alert are rejected.
func (in *ingest) evidence(b Batch) error {
	for _, e := range b.Evidence {
		var sensor string
		err := in.row(`SELECT sensor FROM alerts WHERE id = ?`, e.Alert).Scan(&sensor)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && sensor != e.Sensor.ID {
			return fmt.Errorf("%w: evidence of sensor %.80q for an alert of sensor %.80q", ErrRejected, e.Sensor.ID, sensor)
		}
		res, err := in.exec(`INSERT INTO evidence (sha256, alert, sensor, packets, stored_at, size, data) VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
			e.SHA256, e.Alert, e.Sensor.ID, e.Packets, in.now, len(e.Data), e.Data)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		in.applied.Evidence += int(n)
		in.applied.Duplicates += 1 - int(n)
	}
	return nil
}

// Evidence implements Records. Packets count only for an alert that is stored, of the same sensor.
func (s *SQLite) Evidence(ctx context.Context, sha256 string) (EvidenceRow, error) {
	e := EvidenceRow{SHA256: sha256}
	var stored int64
	err := s.read.QueryRowContext(ctx, `SELECT e.alert, e.packets, e.stored_at, e.data FROM evidence e
		JOIN alerts a ON a.id = e.alert AND a.sensor = e.sensor WHERE e.sha256 = ?`, sha256).Scan(&e.Alert, &e.Packets, &stored, &e.Data)
	if errors.Is(err, sql.ErrNoRows) {
		return EvidenceRow{}, ErrNotFound
	}
	if err != nil {
		return EvidenceRow{}, fmt.Errorf("evidence: %w", classify(err))
	}
	e.Stored = timeOf(stored)
	return e, nil
}

// HasEvidence implements Records.
func (s *SQLite) HasEvidence(ctx context.Context, alert *schemas.Alert) (map[string]bool, error) {
	has := map[string]bool{}
	for _, x := range alert.Evidence {
		if x.PCAP == nil {
			continue
		}
		var n int
		if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM evidence WHERE sha256 = ? AND alert = ? AND sensor = ?`,
			x.PCAP.SHA256, alert.ID, alert.Sensor.ID).Scan(&n); err != nil {
			return nil, fmt.Errorf("evidence: %w", classify(err))
		}
		has[x.PCAP.SHA256] = n > 0
	}
	return has, nil
}

// TrimEvidence implements Ingest.
func (s *SQLite) TrimEvidence(ctx context.Context, most int64, before time.Time) (dropped int64, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		for _, q := range []struct {
			query string
			arg   int64
		}{
			{`DELETE FROM evidence WHERE stored_at < ?`, nanos(before)},
			{`DELETE FROM evidence WHERE row IN (SELECT row FROM
				(SELECT row, sum(size) OVER (ORDER BY stored_at DESC, row DESC ROWS UNBOUNDED PRECEDING) AS total FROM evidence) WHERE total > ?)`, most},
		} {
			res, err := tx.ExecContext(ctx, q.query, q.arg)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			dropped += n
		}
		return nil
	})
	return dropped, err
}

// EvidenceSize implements Records.
func (s *SQLite) EvidenceSize(ctx context.Context) (files, bytes int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(size), 0) FROM evidence`).Scan(&files, &bytes)
	if err != nil {
		err = fmt.Errorf("evidence: %w", classify(err))
	}
	return files, bytes, err
}
