// SPDX-License-Identifier: Apache-2.0

package export

import (
	"fmt"
	"strconv"

	"stillwatch/schemas"
)

// timesketch writes the JSON Lines that Timesketch imports: message, datetime and timestamp_desc, and fields.
type timesketch struct {
	timeline
	sink Sink
	zone Zone
	buf  []byte
}

// NewTimesketch returns a format that writes to a sink, with times in zone.
func NewTimesketch(sink Sink, zone Zone) Format {
	t := &timesketch{sink: sink, zone: zone}
	t.timeline = timeline{t.line}
	return t
}

func (t *timesketch) Begin() error { return nil }
func (t *timesketch) End() error   { return nil }

func (t *timesketch) line(m *moment) error {
	b := t.buf[:0]
	for i, p := range append([]pair{{"message", m.message}, {"datetime", m.at.in(t.zone).Format("2006-01-02T15:04:05.000000-07:00")}, {"timestamp_desc", m.desc},
		{"data_type", "stillwatch:" + m.record}}, m.fields...) {
		b = append(b, "{,"[min(i, 1)])
		b = append(schemas.AppendString(b, p.key), ':')
		if s, ok := p.value.(string); ok {
			b = schemas.AppendString(b, s)
		} else {
			b = fmt.Append(b, p.value)
		}
	}
	b = append(b, `,"timestamp":`...)
	t.buf = append(strconv.AppendInt(b, int64(m.at)/1000, 10), "}\n"...) // microseconds
	return t.sink.Put(t.buf)
}
