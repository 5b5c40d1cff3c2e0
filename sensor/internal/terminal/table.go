// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"io"
	"strings"
)

// maxCell bounds a cell of a table, in columns, so that one long name does not push the other columns off the screen.
const maxCell = 40

// Table writes rows in aligned columns; the first row is the heading. On a terminal the last column is cut to the width of the screen,
// elsewhere it is written in full.
func (t *Terminal) Table(w io.Writer, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			row[i] = Clean(cell)
			if i < len(row)-1 {
				row[i] = Cut(row[i], maxCell)
			}
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Columns(row[i]))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		used := 0
		for i, cell := range row[:len(row)-1] {
			row[i] = Pad(cell, widths[i])
			used += widths[i] + 2
		}
		last := len(row) - 1
		if t.OutTTY {
			row[last] = Cut(row[last], max(t.Width-used, 8))
		}
		line := strings.TrimRight(strings.Join(row, "  "), " ")
		if n == 0 {
			line = t.Paint(line, Bold)
		}
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
