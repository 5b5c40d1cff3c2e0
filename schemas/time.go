// SPDX-License-Identifier: Apache-2.0

package schemas

import (
	"fmt"
	"time"
)

// Time is a time in nanoseconds since the Unix epoch. Its text form is RFC 3339 in UTC, always with nine fractional digits, so that
// it sorts as text.
type Time int64

const timeLayout = "2006-01-02T15:04:05.000000000Z"

// AppendText appends the text form. It never fails: every int64 lies within the years 1677 to 2262.
func (t Time) AppendText(b []byte) ([]byte, error) { return t.append(b), nil }

func (t Time) append(b []byte) []byte {
	const day = 24 * 60 * 60
	sec, ns := int64(t)/1e9, int64(t)%1e9
	if ns < 0 {
		sec, ns = sec-1, ns+1e9
	}
	days, rest := sec/day, sec%day
	if rest < 0 {
		days, rest = days-1, rest+day
	}
	y, m, d := civil(days)
	b = append(digits(b, y, 4), '-')
	b = append(digits(b, m, 2), '-')
	b = append(digits(b, d, 2), 'T')
	b = append(digits(b, rest/3600, 2), ':')
	b = append(digits(b, rest/60%60, 2), ':')
	b = append(digits(b, rest%60, 2), '.')
	return append(digits(b, ns, 9), 'Z')
}

// civil converts days since 1970-01-01 to a date of the proleptic Gregorian calendar. Years start in March, so that the leap day is
// the last day; 719468 is the number of days from 0000-03-01 to the epoch.
func civil(days int64) (y, m, d int64) {
	days += 719468
	era := days / 146097
	doe := days % 146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	if m > 12 {
		m -= 12
	}
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

func digits(b []byte, v int64, n int) []byte {
	at := len(b)
	for range n {
		b = append(b, '0')
	}
	for i := at + n - 1; i >= at; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
	return b
}

// String returns the text form.
func (t Time) String() string { return string(t.append(nil)) }

// MarshalJSON returns the text form as a JSON string.
func (t Time) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 32), '"')
	return append(t.append(b), '"'), nil
}

// UnmarshalJSON parses an RFC 3339 time in quotes.
func (t *Time) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("time %.40s is not a string", b)
	}
	v, err := time.Parse(time.RFC3339Nano, string(b[1:len(b)-1]))
	if err != nil {
		return fmt.Errorf("time: %w", err)
	}
	*t = TimeOf(v)
	return nil
}

// TimeOf converts v. A time outside the range of Time (years 1677 to 2262) is clamped.
func TimeOf(v time.Time) Time {
	switch s := v.Unix(); {
	case s <= -1<<63/1_000_000_000:
		return Time(-1 << 63)
	case s >= (1<<63-1)/1_000_000_000:
		return Time(1<<63 - 1)
	}
	return Time(v.UnixNano())
}

// FormatTime returns the text form of a time of any year, such as the expiry of a certificate. Years that RFC 3339 cannot express
// are clamped to 0000 and 9999.
func FormatTime(v time.Time) string {
	v = v.UTC()
	switch y := v.Year(); {
	case y < 0:
		return "0000-01-01T00:00:00.000000000Z"
	case y > 9999:
		return "9999-12-31T23:59:59.999999999Z"
	}
	return v.Format(timeLayout)
}
