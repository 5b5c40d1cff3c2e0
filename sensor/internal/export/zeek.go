// SPDX-License-Identifier: Apache-2.0

package export

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"stillwatch/schemas"
)

// The formats of Zeek logs.
const (
	ZeekTSV  = "tsv"
	ZeekJSON = "json"
)

// interval is a duration in nanoseconds.
type interval int64

// zeekLog is one log of Zeek: a struct type whose fields have tags with name and type.
type zeekLog struct {
	sink   Sink
	path   string
	fields []zeekField
	begun  bool
}

type zeekField struct {
	name, kind string
	index      []int
}

// zeekLogs writes logs as Zeek does: those that zeek-cut reads, or JSON.
type zeekLogs struct {
	logs        map[string]*zeekLog // by path
	json        bool
	zone        Zone
	first, last instant // of the records so far
	buf         []byte
}

// NewZeek returns a format that writes each of ZeekPaths to a sink. The times of #open and #close are those of the records, in zone.
func NewZeek(sinks map[string]Sink, format string, zone Zone) Format {
	z := &zeekLogs{logs: map[string]*zeekLog{}, json: format == ZeekJSON, zone: zone}
	for path, row := range zeekRows() {
		z.logs[path] = &zeekLog{sink: sinks[path], path: path, fields: zeekFields(reflect.TypeOf(row))}
	}
	return z
}

// ZeekPaths returns the names of the logs, sorted.
func ZeekPaths() (paths []string) {
	for path := range zeekRows() {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

func zeekFields(t reflect.Type) (all []zeekField) {
	for _, f := range reflect.VisibleFields(t) {
		if name, kind, ok := strings.Cut(f.Tag.Get("zeek"), " "); ok {
			all = append(all, zeekField{name, kind, f.Index})
		}
	}
	return all
}

// Begin writes nothing: like Zeek, a log without records has no file, and #open needs the first record.
func (z *zeekLogs) Begin() error { return nil }

// saw extends the time of the records.
func (z *zeekLogs) saw(from, to schemas.Time) {
	if z.first == 0 || instant(from) < z.first {
		z.first = instant(from)
	}
	z.last = max(z.last, instant(to))
}

func (z *zeekLogs) put(path string, row any) error {
	l := z.logs[path]
	if !l.begun && !z.json {
		if err := l.sink.Head(z.header(l)); err != nil {
			return err
		}
	}
	l.begun = true
	if z.json {
		z.buf = appendZeekJSON(z.buf[:0], l.fields, reflect.ValueOf(row))
	} else {
		z.buf = appendZeekTSV(z.buf[:0], l.fields, reflect.ValueOf(row))
	}
	return l.sink.Put(z.buf)
}

func (z *zeekLogs) header(l *zeekLog) []byte {
	b := fmt.Appendf(nil, "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t%s\n#open\t%s\n", l.path, z.moment(z.first))
	b = append(b, "#fields"...)
	for _, f := range l.fields {
		b = append(append(b, '\t'), f.name...)
	}
	b = append(b, "\n#types"...)
	for _, f := range l.fields {
		b = append(append(b, '\t'), f.kind...)
	}
	return append(b, '\n')
}

func (z *zeekLogs) moment(t instant) string { return t.in(z.zone).Format("2006-01-02-15-04-05") }

// End writes the line #close.
func (z *zeekLogs) End() error {
	for _, path := range ZeekPaths() {
		if l := z.logs[path]; l.begun && !z.json {
			if err := l.sink.Head(fmt.Appendf(nil, "#close\t%s\n", z.moment(z.last))); err != nil {
				return err
			}
		}
	}
	return nil
}

// unset reports whether a field has no value: a nil pointer or slice, an empty text or no time.
func unset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	}
	return false
}

func appendZeekTSV(b []byte, fields []zeekField, row reflect.Value) []byte {
	for i, f := range fields {
		if i > 0 {
			b = append(b, '\t')
		}
		v := row.FieldByIndex(f.index)
		if unset(v) {
			b = append(b, '-')
			continue
		}
		switch x := reflect.Indirect(v).Interface().(type) {
		case string:
			b = appendZeekText(b, x, false)
		case []string:
			b = appendZeekSet(b, x)
		case bool:
			b = append(b, map[bool]byte{true: 'T', false: 'F'}[x])
		default:
			b = appendZeekNumber(b, x)
		}
	}
	return append(b, '\n')
}

func appendZeekSet(b []byte, all []string) []byte {
	if len(all) == 0 {
		return append(b, "(empty)"...)
	}
	for i, s := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendZeekText(b, s, true)
	}
	return b
}

// appendZeekText escapes what would be read as the end of a field, of an element of a set or of the line, and texts that would be read as unset or empty.
// Valid UTF-8 stays, as with LogAscii::enable_utf_8, but control characters do not.
func appendZeekText(b []byte, s string, inSet bool) []byte {
	switch {
	case s == "":
		return append(b, "(empty)"...)
	case s == "-" || s == "(empty)":
		b = appendHex(b, s[:1])
		s = s[1:]
	}
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '\\':
			b = append(b, `\\`...)
		case r == utf8.RuneError && n == 1, unprintable(r) && r != utf8.RuneError, r == ',' && inSet:
			b = appendHex(b, s[:n])
		default:
			b = append(b, s[:n]...)
		}
		s = s[n:]
	}
	return b
}

func appendHex(b []byte, s string) []byte {
	for i := range len(s) {
		b = fmt.Appendf(b, `\x%02x`, s[i])
	}
	return b
}

// appendZeekNumber appends a number, a time or an interval. Zeek writes six digits of times and intervals.
func appendZeekNumber(b []byte, x any) []byte {
	switch x := x.(type) {
	case instant:
		return appendSeconds(b, int64(x))
	case interval:
		return appendSeconds(b, int64(x))
	case uint64:
		return strconv.AppendUint(b, x, 10)
	case uint16:
		return strconv.AppendUint(b, uint64(x), 10)
	}
	return strconv.AppendInt(b, x.(int64), 10)
}

func appendSeconds(b []byte, ns int64) []byte {
	if ns < 0 {
		b, ns = append(b, '-'), -ns
	}
	return fmt.Appendf(b, "%d.%06d", ns/1e9, ns%1e9/1e3)
}

// appendZeekJSON appends a record as LogAscii::use_json does: one flat object, without unset fields.
func appendZeekJSON(b []byte, fields []zeekField, row reflect.Value) []byte {
	b = append(b, '{')
	for _, f := range fields {
		v := row.FieldByIndex(f.index)
		if unset(v) {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(schemas.AppendString(b, f.name), ':')
		switch x := reflect.Indirect(v).Interface().(type) {
		case string:
			b = schemas.AppendString(b, x)
		case []string:
			b = append(b, '[')
			for i, s := range x {
				if i > 0 {
					b = append(b, ',')
				}
				b = schemas.AppendString(b, s)
			}
			b = append(b, ']')
		case bool:
			b = strconv.AppendBool(b, x)
		default:
			b = appendZeekNumber(b, x)
		}
	}
	return append(b, "}\n"...)
}
