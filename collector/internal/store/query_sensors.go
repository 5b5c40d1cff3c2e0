// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"time"
)

// Sensors is described at Records.
func (s *SQLite) Sensors(ctx context.Context) ([]SensorRow, error) {
	rs, err := s.read.QueryContext(ctx, `SELECT s.id, s.site, s.version, s.iface, s.capture, s.rules_hash, s.config_hash, s.boot, s.one_way, s.loss, s.max_loss,
		s.first_seen, s.last_seen, s.last_event, s.alerts, coalesce((SELECT max_seq FROM boots b WHERE b.sensor = s.id AND b.boot = s.boot), 0),
		(SELECT coalesce(sum(max_seq - received), 0) FROM boots b WHERE b.sensor = s.id), (SELECT count(*) FROM boots b WHERE b.sensor = s.id)
		FROM sensors s ORDER BY s.id`)
	if err != nil {
		return nil, mark(err)
	}
	var out []SensorRow
	err = scanAll(rs, func(r *sql.Rows) error {
		var x SensorRow
		var first, last int64
		err := r.Scan(&x.ID, &x.Site, &x.Version, &x.Iface, &x.Capture, &x.RulesHash, &x.ConfigHash, &x.BootID, &x.OneWay, &x.LossRatio, &x.MaxLoss,
			&first, &last, &x.LastEvent, &x.Alerts, &x.Seq, &x.Missing, &x.Boots)
		x.FirstSeen, x.LastSeen = moment(first), moment(last)
		out = append(out, x)
		return err
	})
	return out, mark(err)
}

// Boots is described at Records.
func (s *SQLite) Boots(ctx context.Context, sensor string) ([]BootRow, error) {
	rs, err := s.read.QueryContext(ctx, `SELECT row, boot, first_seen, last_seen, max_seq, received, replay FROM boots WHERE sensor = ?
		ORDER BY last_seen DESC, row DESC LIMIT 100`, sensor)
	if err != nil {
		return nil, mark(err)
	}
	var out []BootRow
	var rows []int64
	err = scanAll(rs, func(r *sql.Rows) error {
		b := BootRow{Sensor: sensor}
		var row, first, last int64
		err := r.Scan(&row, &b.BootID, &first, &last, &b.MaxSeq, &b.Received, &b.Replay)
		b.FirstSeen, b.LastSeen, b.Missing = moment(first), moment(last), b.MaxSeq-b.Received
		out, rows = append(out, b), append(rows, row)
		return err
	})
	for i := range out {
		if err == nil && out[i].Missing > 0 {
			out[i].Gaps, err = s.gaps(ctx, rows[i], maxListed)
		}
	}
	return out, mark(err)
}

// gaps gives the first and last number of what has not come of a boot, at most limit, the first of them.
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

// moment gives the time of a column; 0 is never.
func moment(ns int64) time.Time {
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

// DeadLetters is described at Records.
func (s *SQLite) DeadLetters(ctx context.Context, p Page) (DeadLetterList, error) {
	var list DeadLetterList
	next, err := s.byID(ctx, "dead_letters", `SELECT id, topic, part, off, reason, key, value, size, at FROM dead_letters`, p, func(r *sql.Rows) (int64, error) {
		var d DeadLetter
		var at int64
		err := r.Scan(&d.ID, &d.Topic, &d.Partition, &d.Offset, &d.Reason, &d.Key, &d.Value, &d.Size, &at)
		d.At = moment(at)
		list.Letters = append(list.Letters, d)
		return d.ID, err
	})
	list.Letters, list.Next = list.Letters[:min(len(list.Letters), p.limits())], next
	return list, err
}

// byID reads a page of a table whose only order is the newest id first, and gives the cursor of the next. scan may be
// called once more than the page is long.
func (s *SQLite) byID(ctx context.Context, name, query string, p Page, scan func(*sql.Rows) (int64, error)) (string, error) {
	var w where
	order := sorted{name, map[Order]string{Newest: "id"}, "id"}
	tail, err := order.page(&w, p)
	if err != nil {
		return "", err
	}
	rs, err := s.read.QueryContext(ctx, query+" "+w.conds+" "+tail, w.args...)
	if err != nil {
		return "", mark(err)
	}
	var ids []int64
	err = scanAll(rs, func(r *sql.Rows) error {
		id, err := scan(r)
		ids = append(ids, id)
		return err
	})
	if n := p.limits(); err == nil && len(ids) > n {
		return cursor{name, p.Order, ids[n-1], ids[n-1]}.String(), nil
	}
	return "", mark(err)
}
