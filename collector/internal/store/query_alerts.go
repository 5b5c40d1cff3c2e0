// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"stillwatch/schemas"
)

const alertColumns = `a.row, a.change, a.open, a.at, a.risk, r.stored_at, r.revision, r.json`

const alertJoin = ` FROM alerts a JOIN revisions r ON r.alert = a.row AND r.revision = a.revision `

func alertOrder() listOrder {
	return listOrder{"alerts", map[Order]string{Newest: "a.at", Oldest: "a.at", Riskiest: "a.risk"}, "a.row"}
}

// Alerts implements Records.
func (s *SQLite) Alerts(ctx context.Context, f AlertFilter, p Page) (AlertList, error) {
	list, done, err := s.window(ctx, f, p)
	if err == nil && !done {
		from, w := f.from()
		var tail string
		if tail, err = alertOrder().page(&w, p); err == nil {
			list, err = s.alertPage(ctx, `SELECT a.row FROM `+from+` `+w.conds+` `+tail, tail, w.args, p)
		}
	}
	if err != nil {
		return AlertList{}, fmt.Errorf("alerts: %w", classify(err))
	}
	return list, nil
}

// alertPage loads the alerts whose row numbers the subquery returns. The subquery uses only indexes, so that records are read for one
// page only.
func (s *SQLite) alertPage(ctx context.Context, rows, tail string, args []any, p Page) (AlertList, error) {
	rs, err := s.read.QueryContext(ctx, `SELECT `+alertColumns+` FROM (`+rows+`) f JOIN alerts a ON a.row = f.row
		JOIN revisions r ON r.alert = a.row AND r.revision = a.revision `+tail, args...)
	if err != nil {
		return AlertList{}, err
	}
	var list AlertList
	var values []int64
	err = scanAll(rs, func(r *sql.Rows) error {
		a, at, err := scanAlert(r.Scan)
		v := int64(at)
		if p.Order == Riskiest {
			v = int64(a.Alert.RiskScore)
		}
		list.Alerts, values = append(list.Alerts, a), append(values, v)
		return err
	})
	if n := p.size(); err == nil && len(list.Alerts) > n {
		list.Alerts = list.Alerts[:n]
		list.Next = cursor{alertOrder().list, p.Order, values[n-1], list.Alerts[n-1].Row}.String()
	}
	return list, err
}

// searchFirst is the number of alerts, first in the requested order, in which a text search looks before it searches all.
const searchFirst = 2000

// window tries to fill the page of a text search from the first searchFirst alerts that match the rest of the filter, which is much
// faster for frequent words. It reports false if they do not suffice or are scattered over the search index.
func (s *SQLite) window(ctx context.Context, f AlertFilter, p Page) (list AlertList, done bool, err error) {
	match, any := textMatch(f.Text)
	if !any {
		return list, false, nil
	}
	w := f.conditions()
	tail, err := alertOrder().page(&w, p)
	if err != nil {
		return list, false, err
	}
	first := fmt.Sprintf(`SELECT a.row, a.at, a.risk FROM alerts a %s %s LIMIT %d`, w.conds, alertOrder().clause(p), s.searchFirst)
	var n int
	var low, high int64
	err = s.read.QueryRowContext(ctx, `SELECT count(*), coalesce(min(row), 0), coalesce(max(row), 0) FROM (`+first+`)`, w.args...).Scan(&n, &low, &high)
	if err != nil || high-low > 20*int64(s.searchFirst) {
		return list, false, err
	}
	list, err = s.alertPage(ctx, `SELECT a.row FROM (`+first+`) a WHERE a.row IN (SELECT rowid FROM alerts_text WHERE alerts_text MATCH ? AND rowid BETWEEN ? AND ?) `+tail,
		tail, append(w.args, match, low, high), p)
	return list, list.Next != "" || n < s.searchFirst, err
}

func scanAlert(scan func(...any) error) (AlertRow, schemas.Time, error) {
	var a AlertRow
	var open bool
	var at schemas.Time
	var risk, stored int64
	var line []byte
	if err := scan(&a.Row, &a.Change, &open, &at, &risk, &stored, &a.Revision, &line); err != nil {
		return a, 0, err
	}
	a.State, a.Stored, a.JSON = stateName(open), time.Unix(0, stored).UTC(), line
	if err := json.Unmarshal(line, &a.Alert); err != nil {
		return a, 0, fmt.Errorf("alert row %d: %w", a.Row, err)
	}
	return a, at, nil
}

// where returns all conditions of f on alerts a.
func (f *AlertFilter) where() where {
	w := f.conditions()
	if match, any := textMatch(f.Text); any {
		w.add("a.row IN (SELECT rowid FROM alerts_text WHERE alerts_text MATCH ?)", match)
	} else if f.Text != "" {
		w.add("0")
	}
	return w
}

// from returns the FROM clause for f, which includes the search index if f has words, and the conditions.
func (f *AlertFilter) from() (string, where) {
	match, any := textMatch(f.Text)
	if !any {
		return "alerts a", f.where()
	}
	w := f.conditions()
	w.add("words.alerts_text MATCH ?", match)
	return "alerts_text words CROSS JOIN alerts a ON a.row = words.rowid", w
}

// conditions returns the conditions other than the full-text search.
func (f *AlertFilter) conditions() where {
	var w where
	w.any("+a.severity", ranks(f.Severity)) // +: do not use an index on it, which would require a sort
	if len(f.Rule) > 0 {
		var either where
		either.any("a.rule", anys(f.Rule))
		w.add("("+strings.TrimPrefix(either.conds, "WHERE ")+" OR "+strings.Replace(strings.TrimPrefix(either.conds, "WHERE "), "a.rule", "a.kind", 1)+")",
			append(either.args, either.args...)...)
	}
	for _, c := range []struct{ cond, value string }{
		{"a.device = ?", f.Device}, {"a.incident = ? AND a.incident <> ''", f.Incident}, {"a.sensor = ?", f.Sensor},
	} {
		if c.value != "" {
			w.add(c.cond, c.value)
		}
	}
	if f.Peer != "" {
		w.add("(a.peer = ? OR a.domain = ?)", address(f.Peer), strings.ToLower(f.Peer))
	}
	for _, k := range []struct{ kind, value string }{
		{"ip:", address(f.IP)}, {"mac:", strings.ToLower(f.MAC)}, {"cid:", f.CommunityID},
	} {
		if k.value != "" {
			w.add("a.row IN (SELECT alert FROM alert_keys WHERE key = ?)", k.kind+k.value)
		}
	}
	if f.State != "" {
		w.add("+a.open = ?", f.State == "open")
	}
	if f.Replay != nil {
		w.add("a.replay = ?", *f.Replay)
	}
	if f.Suppressed != nil {
		w.add("a.suppressed = ?", *f.Suppressed)
	}
	f.times(&w)
	return w
}

func (f *AlertFilter) times(w *where) {
	if f.From != 0 {
		w.add("a.at >= ?", f.From)
	}
	if f.To != 0 {
		w.add("a.at < ?", f.To)
	}
	if f.MinRisk > 0 {
		w.add("a.risk >= ?", f.MinRisk)
	}
}

// address returns the canonical form of an address, so that fe80:0::1 finds fe80::1. Other text is returned unchanged.
func address(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.String()
	}
	return s
}

// textMatch returns the full-text query for text, and false if it has no words. Words are quoted, so that they cannot contain search
// operators; the last word matches as a prefix.
func textMatch(text string) (string, bool) {
	const maxWords, maxLen = 16, 512
	var words []string
	for _, f := range strings.Fields(strings.ToValidUTF8(text[:min(len(text), maxLen)], "")) {
		if strings.ContainsFunc(f, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			words = append(words, `"`+strings.ReplaceAll(strings.ReplaceAll(f, "\x00", ""), `"`, `""`)+`"`)
		}
	}
	if len(words) == 0 {
		return "", false
	}
	words = words[:min(len(words), maxWords)]
	return strings.Join(words, " ") + "*", true
}

// CountAlerts implements Records.
func (s *SQLite) CountAlerts(ctx context.Context, f AlertFilter, limit int) (int, error) {
	from, w := f.from()
	if limit <= 0 {
		limit = -1 // no limit, in SQLite
	}
	var n int
	err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM `+from+` `+w.conds+` LIMIT ?)`, append(w.args, limit)...).Scan(&n)
	return n, classify(err)
}

// Alert implements Records.
func (s *SQLite) Alert(ctx context.Context, id string) (AlertRow, error) {
	row := s.read.QueryRowContext(ctx, `SELECT `+alertColumns+alertJoin+`WHERE a.id = ?`, id)
	a, _, err := scanAlert(row.Scan)
	return a, lookupError(err, "alert", id)
}

// lookupError classifies the error of a query for one row.
func lookupError(err error, what, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s %.60q: %w", what, id, ErrNotFound)
	}
	return classify(err)
}

// Revisions implements Records.
func (s *SQLite) Revisions(ctx context.Context, id string) ([]AlertRow, error) {
	rs, err := s.read.QueryContext(ctx, `SELECT `+alertColumns+` FROM alerts a JOIN revisions r ON r.alert = a.row WHERE a.id = ? ORDER BY r.revision LIMIT 1000`, id)
	if err != nil {
		return nil, classify(err)
	}
	var out []AlertRow
	err = scanAll(rs, func(r *sql.Rows) error {
		a, _, err := scanAlert(r.Scan)
		a.State = stateName(a.Alert.Action != "close")
		out = append(out, a)
		return err
	})
	if err == nil && len(out) == 0 {
		err = sql.ErrNoRows
	}
	return out, lookupError(err, "alert", id)
}
