// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// cursor is the position of the last returned row: its sort value, and its row number to break ties.
type cursor struct {
	List  string `json:"l"`
	Order Order  `json:"o,omitempty"`
	Value int64  `json:"v"`
	Row   int64  `json:"r"`
}

// String encodes the cursor.
func (c cursor) String() string {
	b, _ := json.Marshal(c) // never fails: strings and numbers only
	return base64.RawURLEncoding.EncodeToString(b)
}

// listOrder describes how a list is sorted: by column, then by row number.
type listOrder struct {
	list   string
	column map[Order]string
	row    string
}

const (
	defaultLimit = 50
	maxLimit     = 1000
)

// size returns the number of rows of p.
func (p Page) size() int {
	if p.Limit <= 0 {
		return defaultLimit
	}
	return min(p.Limit, maxLimit)
}

// page adds the condition of the cursor of p to w and returns the end of the query. It queries one more row than the page has, to
// detect whether there is a next page.
func (s listOrder) page(w *where, p Page) (tail string, err error) {
	if _, ok := s.column[p.Order]; !ok {
		return "", fmt.Errorf("%w: the order %.20q", ErrCursor, string(p.Order))
	}
	if p.Cursor != "" {
		c, err := s.read(p)
		if err != nil {
			return "", err
		}
		less := "<"
		if p.Order == Oldest {
			less = ">"
		}
		w.add("("+s.column[p.Order]+", "+s.row+") "+less+" (?, ?)", c.Value, c.Row)
	}
	return fmt.Sprintf("%s LIMIT %d", s.clause(p), p.size()+1), nil
}

// clause returns the ORDER BY clause of p.
func (s listOrder) clause(p Page) string {
	direction := "DESC"
	if p.Order == Oldest {
		direction = "ASC"
	}
	return fmt.Sprintf("ORDER BY %s %s, %s %s", s.column[p.Order], direction, s.row, direction)
}

func (s listOrder) read(p Page) (cursor, error) {
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(p.Cursor[:min(len(p.Cursor), 500)])
	if err != nil || json.Unmarshal(b, &c) != nil || c.List != s.list || c.Order != p.Order {
		return c, ErrCursor
	}
	return c, nil
}

// where is a conjunction of conditions.
type where struct {
	conds string
	args  []any
}

func (w *where) add(cond string, args ...any) {
	if w.conds == "" {
		w.conds = "WHERE " + cond
	} else {
		w.conds += " AND " + cond
	}
	w.args = append(w.args, args...)
}

// any adds the condition that column is one of values, unless values is empty.
func (w *where) any(column string, values []any) {
	if len(values) == 0 {
		return
	}
	list := "?"
	for range values[1:] {
		list += ",?"
	}
	w.add(column+" IN ("+list+")", values...)
}

func anys[T any](values []T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

func ranks(severity []string) []any {
	out := make([]any, len(severity))
	for i, s := range severity {
		out[i] = severityRank(s)
	}
	return out
}
