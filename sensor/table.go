// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"strings"
)

// maxCell bounds a cell of a table, so that one long name does not push the rest out of sight.
const maxCell = 40

// table writes rows in aligned columns under their heads. The last column is cut at the width of a terminal; where
// nobody looks, it is written in full.
func (t *terminal) table(w io.Writer, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			row[i] = clean(cell)
			if i < len(row)-1 {
				row[i] = cut(row[i], maxCell)
			}
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(row[i]))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		used := 0
		for i, cell := range row[:len(row)-1] {
			row[i] = pad(cell, widths[i])
			used += widths[i] + 2
		}
		last := len(row) - 1
		if t.outTTY {
			row[last] = cut(row[last], max(t.width-used, 8))
		}
		line := strings.TrimRight(strings.Join(row, "  "), " ")
		if n == 0 {
			line = t.paint(line, bold)
		}
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
