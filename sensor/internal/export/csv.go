// SPDX-License-Identifier: Apache-2.0

package export

import (
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"stillwatch/schemas"
)

// Tables are the files of CSV and Parquet, without the ending.
var Tables = []string{"sessions", "devices", "alerts", "incidents"}

// timeLayout is RFC 3339 with nanoseconds, so that times sort as text.
const timeLayout = "2006-01-02T15:04:05.000000000Z07:00"

// csvTables writes four tables as CSV (RFC 4180), with one header row.
type csvTables struct {
	sessions, devices, alerts, incidents Sink
	zone                                 Zone
	buf                                  []byte
}

// NewCSV returns a format that writes each of Tables to a sink, with times in zone. Cells that a spreadsheet would execute as a formula begin with
// an apostrophe, and control characters are written as \x0a, so a record is one line.
func NewCSV(sinks map[string]Sink, zone Zone) Format {
	return &csvTables{sessions: sinks["sessions"], devices: sinks["devices"], alerts: sinks["alerts"], incidents: sinks["incidents"], zone: zone}
}

func (c *csvTables) Begin() error {
	for _, t := range []struct {
		sink Sink
		row  any
	}{{c.sessions, sessionRow{}}, {c.devices, deviceRow{}}, {c.alerts, alertRow{}}, {c.incidents, incidentRow{}}} {
		if err := t.sink.Head(appendCells(nil, columns(t.row))); err != nil {
			return err
		}
	}
	return nil
}

func (c *csvTables) Session(s *schemas.Session) error   { return c.put(c.sessions, rowOfSession(s)) }
func (c *csvTables) Device(d *schemas.Device) error     { return c.put(c.devices, rowOfDevice(d)) }
func (c *csvTables) Alert(a *schemas.Alert) error       { return c.put(c.alerts, rowOfAlert(a)) }
func (c *csvTables) Incident(i *schemas.Incident) error { return c.put(c.incidents, rowOfIncident(i)) }
func (c *csvTables) End() error                         { return nil }

func (c *csvTables) put(sink Sink, row any) error {
	v := reflect.ValueOf(row)
	cells := make([]string, v.NumField())
	for i := range cells {
		cells[i] = c.cell(v.Field(i))
	}
	c.buf = appendCells(c.buf[:0], cells)
	return sink.Put(c.buf)
}

// cell returns the text of a field. Lists are joined by "; ".
func (c *csvTables) cell(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	if t, ok := v.Interface().(instant); ok {
		return t.in(c.zone).Format(timeLayout)
	}
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Slice:
		return strings.Join(v.Interface().([]string), "; ")
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	}
	return strconv.FormatUint(v.Uint(), 10)
}

// columns returns the names of the columns of a row.
func columns(row any) (names []string) {
	for f := range reflect.TypeOf(row).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		names = append(names, name)
	}
	return names
}

// appendCells appends one row with a line feed at its end. RFC 4180 has CR LF, but every reader takes both, and text tools only this one.
func appendCells(b []byte, cells []string) []byte {
	for i, s := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		s = harmless(s)
		if !strings.ContainsAny(s, `",`) {
			b = append(b, s...)
			continue
		}
		b = append(b, '"')
		b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
		b = append(b, '"')
	}
	return append(b, '\n')
}

// harmless returns s on one line, and with an apostrophe before what a spreadsheet would take for a formula: =, +, -, @, tab or CR at its start, and
// the wide forms of these characters, which some spreadsheets take for the same. A minus alone is none.
func harmless(s string) string {
	if first, _ := utf8.DecodeRuneInString(s); s != "" && s != "-" && strings.ContainsRune("=+-@\t\r＝＋－＠", first) {
		return "'" + oneLine(s)
	}
	return oneLine(s)
}
