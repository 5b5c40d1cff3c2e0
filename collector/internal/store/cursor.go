// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// cursor is the place of the last row that was given: its value in the order, and its row, which breaks ties.
type cursor struct {
	List  string `json:"l"`
	Order Order  `json:"o,omitempty"`
	Value int64  `json:"v"`
	Row   int64  `json:"r"`
}

func (c cursor) String() string {
	b, _ := json.Marshal(c) // strings and numbers: never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// sorted is how a list is read: by column, then by row.
type sorted struct {
	list   string
	column map[Order]string
	row    string
}

const (
	defaultLimit = 50
	maxLimit     = 1000
)

// limits gives the number of rows of p.
func (p Page) limits() int {
	if p.Limit <= 0 {
		return defaultLimit
	}
	return min(p.Limit, maxLimit)
}

// page adds to w what p asks for, and gives the end of the query, for one row more than is given.
func (s sorted) page(w *where, p Page) (tail string, err error) {
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
	return fmt.Sprintf("%s LIMIT %d", s.clause(p), p.limits()+1), nil
}

// clause gives the order of p.
func (s sorted) clause(p Page) string {
	direction := "DESC"
	if p.Order == Oldest {
		direction = "ASC"
	}
	return fmt.Sprintf("ORDER BY %s %s, %s %s", s.column[p.Order], direction, s.row, direction)
}

func (s sorted) read(p Page) (cursor, error) {
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(p.Cursor[:min(len(p.Cursor), 500)])
	if err != nil || json.Unmarshal(b, &c) != nil || c.List != s.list || c.Order != p.Order {
		return c, ErrCursor
	}
	return c, nil
}

// where gathers conditions that all must hold.
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

// any adds the condition that column is one of values; none do not restrict.
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
