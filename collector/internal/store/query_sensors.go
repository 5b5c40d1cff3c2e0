// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"time"
)

// Sensors implements Records.
func (s *SQLite) Sensors(ctx context.Context) ([]SensorRow, error) {
	rs, err := s.read.QueryContext(ctx, `SELECT s.id, s.site, s.version, s.iface, s.capture, s.rules_hash, s.config_hash, s.boot, s.one_way, s.loss, s.max_loss,
		s.first_seen, s.last_seen, s.last_event, s.alerts, coalesce((SELECT max_seq FROM boots b WHERE b.sensor = s.id AND b.boot = s.boot), 0),
		(SELECT coalesce(sum(max_seq - received), 0) FROM boots b WHERE b.sensor = s.id), (SELECT count(*) FROM boots b WHERE b.sensor = s.id),
		s.heard, s.stopped, s.status FROM sensors s ORDER BY s.id`)
	if err != nil {
		return nil, classify(err)
	}
	var out []SensorRow
	err = scanAll(rs, func(r *sql.Rows) error {
		var x SensorRow
		var first, last, heard int64
		err := r.Scan(&x.ID, &x.Site, &x.Version, &x.Iface, &x.Capture, &x.RulesHash, &x.ConfigHash, &x.BootID, &x.OneWay, &x.LossRatio, &x.MaxLoss,
			&first, &last, &x.LastEvent, &x.Alerts, &x.Seq, &x.Missing, &x.Boots, &heard, &x.Stopped, &x.Status)
		x.FirstSeen, x.LastSeen = timeOf(first), timeOf(last)
		if heard != 0 {
			x.Heard = timeOf(heard)
		}
		out = append(out, x)
		return err
	})
	return out, classify(err)
}

// Boots implements Records.
func (s *SQLite) Boots(ctx context.Context, sensor string) ([]BootRow, error) {
	rs, err := s.read.QueryContext(ctx, `SELECT row, boot, first_seen, last_seen, max_seq, received, replay FROM boots WHERE sensor = ?
		ORDER BY last_seen DESC, row DESC LIMIT 100`, sensor)
	if err != nil {
		return nil, classify(err)
	}
	var out []BootRow
	var rows []int64
	err = scanAll(rs, func(r *sql.Rows) error {
		b := BootRow{Sensor: sensor}
		var row, first, last int64
		err := r.Scan(&row, &b.BootID, &first, &last, &b.MaxSeq, &b.Received, &b.Replay)
		b.FirstSeen, b.LastSeen, b.Missing = timeOf(first), timeOf(last), b.MaxSeq-b.Received
		out, rows = append(out, b), append(rows, row)
		return err
	})
	for i := range out {
		if err == nil && out[i].Missing > 0 {
			out[i].Gaps, err = s.gaps(ctx, rows[i], maxListed)
		}
	}
	return out, classify(err)
}

// gaps returns the first and last number of each gap in the numbers of a boot, at most limit.
func (s *SQLite) gaps(ctx context.Context, boot int64, limit int) ([][2]uint64, error) {
	rs, err := s.read.QueryContext(ctx, `SELECT block, bits FROM boot_blocks WHERE boot = ? ORDER BY block`, boot)
	if err != nil {
		return nil, err
	}
	g := gapFinder{next: 1, limit: limit}
	err = scanAll(rs, func(r *sql.Rows) error {
		var n int64
		var bits []byte
		err := r.Scan(&n, &bits)
		g.block(n, bits)
		return err
	})
	return g.gaps, err
}

// timeOf converts a column to a time; 0 is the zero time.
func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// DeadLetters implements Records.
func (s *SQLite) DeadLetters(ctx context.Context, p Page) (DeadLetterList, error) {
	var list DeadLetterList
	next, err := s.byID(ctx, "dead_letters", `SELECT id, topic, part, off, reason, key, value, size, at FROM dead_letters`, p, func(r *sql.Rows) (int64, error) {
		var d DeadLetter
		var at int64
		err := r.Scan(&d.ID, &d.Topic, &d.Partition, &d.Offset, &d.Reason, &d.Key, &d.Value, &d.Size, &at)
		d.At = timeOf(at)
		list.Records = append(list.Records, d)
		return d.ID, err
	})
	list.Records, list.Next = list.Records[:min(len(list.Records), p.size())], next
	return list, err
}

// byID reads a page of a table in the order of descending ids and returns the cursor of the next page. scan may be called once more
// than the length of the page.
func (s *SQLite) byID(ctx context.Context, name, query string, p Page, scan func(*sql.Rows) (int64, error)) (string, error) {
	var w where
	order := listOrder{name, map[Order]string{Newest: "id"}, "id"}
	tail, err := order.page(&w, p)
	if err != nil {
		return "", err
	}
	rs, err := s.read.QueryContext(ctx, query+" "+w.conds+" "+tail, w.args...)
	if err != nil {
		return "", classify(err)
	}
	var ids []int64
	err = scanAll(rs, func(r *sql.Rows) error {
		id, err := scan(r)
		ids = append(ids, id)
		return err
	})
	if n := p.size(); err == nil && len(ids) > n {
		return cursor{name, p.Order, ids[n-1], ids[n-1]}.String(), nil
	}
	return "", classify(err)
}
