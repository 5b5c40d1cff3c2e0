// SPDX-License-Identifier: Apache-2.0

package watchtime

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"

	"stillwatch/sensor/internal/snapshot"
)

// Activity is what a device did in a time: sessions that it opened, except to infrastructure, sessions that it answered, their bytes from and to it
// with IP headers, and its alerts. A session counts when it is opened, its answer and its bytes when it ends.
type Activity struct {
	Opened, Answered, Out, In, Alerts uint64
}

// Add adds another activity.
func (a *Activity) Add(x Activity) {
	for i, n := range x.list() {
		*a.list()[i] += *n
	}
}

func (a *Activity) list() [5]*uint64 {
	return [5]*uint64{&a.Opened, &a.Answered, &a.Out, &a.In, &a.Alerts}
}

// Walk saves or restores an activity.
func (a *Activity) Walk(c *snapshot.Codec) {
	for _, n := range a.list() {
		c.Uint(n)
	}
}

// History is what a device did in each hour, from Since on. Hours in which it did nothing take no space, others about ten bytes.
type History struct {
	Since uint32 // hours since the Unix epoch
	last  uint32 // the latest hour with a row
	rows  []byte // of each hour: its distance from the one before, then the activity, as varints
}

// Size returns the bytes that the rows take.
func (h *History) Size() int { return len(h.rows) }

// Last returns the latest hour with a row, 0 if there is none.
func (h *History) Last() uint32 { return h.last }

// Append adds the row of an hour after Last.
func (h *History) Append(at uint32, a Activity) {
	h.rows = binary.AppendUvarint(h.rows, uint64(at-h.last))
	for _, n := range a.list() {
		h.rows = binary.AppendUvarint(h.rows, *n)
	}
	h.last = at
}

// Rows returns the hours with their activities, oldest first.
func (h *History) Rows() iter.Seq2[uint32, Activity] {
	return func(yield func(uint32, Activity) bool) {
		at := uint32(0)
		for rows := h.rows; len(rows) > 0; {
			step, a, rest := readRow(rows)
			if at, rows = at+step, rest; !yield(at, a) {
				return
			}
		}
	}
}

// readRow reads the first row of rows. Rows that cannot be read end them.
func readRow(rows []byte) (step uint32, a Activity, rest []byte) {
	next := func() uint64 {
		v, n := binary.Uvarint(rows)
		if n <= 0 {
			rows = nil
			return 0
		}
		rows = rows[n:]
		return v
	}
	step = uint32(next())
	for _, n := range a.list() {
		*n = next()
	}
	return step, a, rows
}

// Trim drops the rows before an hour and reports whether there were any.
func (h *History) Trim(before uint32) bool {
	if h.Since >= before {
		return false
	}
	old := *h
	*h = History{Since: before}
	for at, a := range old.Rows() {
		if at >= before {
			h.Append(at, a)
		}
	}
	return h.Size() < old.Size()
}

// Merge adds the history of a device that turned out to be the same.
func (h *History) Merge(x *History) {
	sums := map[uint32]Activity{}
	out := History{Since: min(h.Since, x.Since)}
	for _, from := range []*History{h, x} {
		for at, a := range from.Rows() {
			a.Add(sums[at])
			sums[at] = a
		}
	}
	for _, at := range slices.Sorted(maps.Keys(sums)) {
		out.Append(at, sums[at])
	}
	*h = out
}

// maxRows is more than the rows of KeptHours hours take.
const maxRows = KeptHours * 6 * binary.MaxVarintLen64

// Walk saves or restores a history. Damaged rows are dropped.
func (h *History) Walk(c *snapshot.Codec) {
	snapshot.Number(c, &h.Since)
	rows := string(h.rows)
	c.String(&rows)
	if !c.Reading() {
		return
	}
	saved := History{Since: h.Since, rows: []byte(rows[:min(len(rows), maxRows)])}
	*h = History{Since: h.Since}
	for at, a := range saved.Rows() {
		if at > h.last && at <= maxHour {
			h.Append(at, a)
		}
	}
}
