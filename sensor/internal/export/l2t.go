// SPDX-License-Identifier: Apache-2.0

package export

import (
	"cmp"
	"fmt"
	"strings"
)

// l2tColumns are the columns of the CSV of log2timeline.
var l2tColumns = []string{"date", "time", "timezone", "MACB", "source", "sourcetype", "type", "user", "host", "short", "desc", "version", "filename", "inode", "notes", "format", "extra"}

// l2t writes the CSV of log2timeline, which Plaso calls l2tcsv.
type l2t struct {
	timeline
	sink Sink
	zone Zone
	buf  []byte
}

// NewL2T returns a format that writes to a sink, with times in zone.
func NewL2T(sink Sink, zone Zone) Format {
	l := &l2t{sink: sink, zone: zone}
	l.timeline = timeline{l.line}
	return l
}

func (l *l2t) Begin() error { return l.sink.Head(appendCells(nil, l2tColumns)) }
func (l *l2t) End() error   { return nil }

func (l *l2t) line(m *moment) error {
	at := m.at.in(l.zone)
	extra := make([]string, len(m.fields))
	for i, p := range m.fields {
		extra[i] = fmt.Sprint(p.key, ": ", p.value)
	}
	short := []rune(m.message)
	l.buf = appendCells(l.buf[:0], []string{at.Format("01/02/2006"), at.Format("15:04:05"), l.zone.String(), "....", "NET", "stillwatch " + m.record, m.desc, "-",
		cmp.Or(m.host, "-"), string(short[:min(len(short), 80)]), m.message, "2", "-", "-", "-", "stillwatch", strings.Join(extra, "; ")})
	return l.sink.Put(l.buf)
}
