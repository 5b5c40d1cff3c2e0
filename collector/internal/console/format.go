// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"html/template"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stillwatch/schemas"
)

// functions returns the functions of the templates.
func (k *Console) functions() template.FuncMap {
	return template.FuncMap{
		"asset": k.assets.url, "when": when, "clock": clock, "iso": iso, "duration": duration, "bytes": size, "count": count,
		"percent": percent, "words": words, "points": points, "plural": plural, "mega": mega, "deref": deref,
		"plural64": func(n uint64, one, many string) string { return plural(int(n), one, many) },
		"bytes64":  func(n int) string { return size(uint64(n)) },
		"mul":      func(a, b int) int { return a * b },
		"hundred":  func(v float64) int { return int(100 * max(0, min(v, 1))) },
		"mac":      mac,
	}
}

// timeOf converts the types of times that pages show.
func timeOf(v any) (t time.Time, ok bool) {
	switch v := v.(type) {
	case schemas.Time:
		return time.Unix(0, int64(v)).UTC(), v != 0
	case *schemas.Time:
		if v == nil {
			return t, false
		}
		return time.Unix(0, int64(*v)).UTC(), true
	case time.Time:
		return v.UTC(), !v.IsZero()
	}
	return t, false
}

// when returns the date and time in UTC.
func when(v any) string { return layout(v, "2006-01-02 15:04:05") }

// clock returns the time of day with milliseconds.
func clock(v any) string { return layout(v, "15:04:05.000") }

// iso returns the form of the datetime attribute.
func iso(v any) string { return layout(v, time.RFC3339) }

func layout(v any, form string) string {
	t, ok := timeOf(v)
	if !ok {
		return "–"
	}
	return t.Format(form)
}

// duration returns a duration in its two largest units.
func duration(seconds int64) string {
	units := []struct {
		name string
		s    int64
	}{{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}}
	if seconds <= 0 {
		return "0 s"
	}
	for i, u := range units {
		if seconds < u.s {
			continue
		}
		out := fmt.Sprintf("%d %s", seconds/u.s, u.name)
		if i+1 < len(units) {
			if rest := seconds % u.s / units[i+1].s; rest > 0 {
				out += fmt.Sprintf(" %d %s", rest, units[i+1].name)
			}
		}
		return out
	}
	return ""
}

// size returns bytes in decimal units.
func size(n uint64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1000, 0
	for v >= 999.5 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	return fmt.Sprintf("%.1f %cB", v, units[i])
}

// count groups the digits of a number with thin spaces.
func count(v any) string {
	s := fmt.Sprint(v)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "−", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u2009" + s[i:]
	}
	return sign + s
}

// percent returns a ratio as a percentage, with up to four digits so that small values are not shown as zero.
func percent(ratio float64) string {
	if ratio <= 0 {
		return "0 %"
	}
	if ratio*100 < 0.0001 {
		return "< 0.0001 %"
	}
	digits := 2
	for v := ratio * 100; v < 0.01 && digits < 4; v *= 10 {
		digits++
	}
	return strconv.FormatFloat(ratio*100, 'f', digits, 64) + " %"
}

// points returns decibans with a minus sign if negative.
func points(v float64) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', 1, 64), "-", "−", 1)
}

// words converts a code of a record (server_only) to words.
func words(code string) string { return strings.ReplaceAll(code, "_", " ") }

// mac returns the text of a MAC address, "" for the zero value.
func mac(m schemas.MAC) string {
	if m == (schemas.MAC{}) {
		return ""
	}
	return net.HardwareAddr(m[:]).String()
}

// mega returns a number in millions.
func mega(v float64) float64 { return v / 1e6 }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

func deref(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

// deviceURL has the key in the query and not in the path: a key may be "..", which browsers remove from paths.
func deviceURL(key string) verbatim {
	if key == "" {
		return ""
	}
	return verbatim("/device?key=" + url.QueryEscape(key))
}

func alertURL(id string) verbatim { return verbatim("/alerts/" + url.PathEscape(id)) }

func incidentURL(id string) verbatim {
	if id == "" {
		return ""
	}
	return verbatim("/incidents/" + url.PathEscape(id))
}

// listURL returns the URL of a list with a query of alternating names and values. Empty values are omitted.
func listURL(path string, pairs ...string) verbatim {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Add(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return verbatim(path)
	}
	return verbatim(path + "?" + q.Encode())
}
