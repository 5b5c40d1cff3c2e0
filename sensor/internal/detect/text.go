// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/session"
)

// Clean makes text from the wire safe to show. Control and formatting characters and broken UTF-8 become U+FFFD, and text longer than
// limit runes is cut. All text in a record passes through it.
func Clean(s string, limit int) string {
	if plain(s, limit) {
		return s
	}
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > limit {
			b.WriteString("…")
			break
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 0x2028 || r == 0x2029 {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}

// plain reports whether a text is safe as it is: printable ASCII of at most limit bytes, as nearly all names are.
func plain(s string, limit int) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= limit
}

// service names a port and its protocol, with the application if that is known: "443/tcp (tls)".
func service(e *Event) string {
	v := e.Session
	s := Proto(v.Proto)
	switch {
	case v.HasPorts:
		s = strconv.Itoa(int(v.Responder.Port)) + "/" + s
	case s[0] <= '9':
		s = "IP protocol " + s
	default:
		s = strings.ToUpper(s)
	}
	if e.App != nil && e.App.Name != "" {
		s += " (" + Clean(e.App.Name, 20) + ")"
	}
	return s
}

func clock(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05 UTC") }

// span formats a duration in its two largest units.
func span(ns int64) string {
	switch s := ns / second; {
	case s < 60:
		return strconv.FormatInt(max(s, 0), 10) + " s"
	case s < 3600:
		return units(s/60, "min", s%60, "s")
	case s < daySeconds:
		return units(s/3600, "h", s/60%60, "min")
	default:
		return units(s/daySeconds, "d", s/3600%24, "h")
	}
}

// units formats a duration without its second unit if that is zero: "2 h 5 min", "2 h".
func units(large int64, unit string, small int64, smaller string) string {
	if small == 0 {
		return fmt.Sprintf("%d %s", large, unit)
	}
	return fmt.Sprintf("%d %s %d %s", large, unit, small, smaller)
}

// size formats bytes in decimal units.
func size(n uint64) string {
	switch {
	case n < 1000:
		return strconv.FormatUint(n, 10) + " B"
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// traffic describes what a session has carried so far.
func traffic(v *session.View) string {
	return fmt.Sprintf("%s out and %s in", size(v.PayloadBytes[session.Out]), size(v.PayloadBytes[session.In]))
}

// expectation describes what is expected of a device, and the source: "opens no session other than DNS, NTP and the like (inventory)".
func expectation(x contract.Expect, source string) string {
	s := map[contract.Expect]string{
		contract.Silent:     "opens no session other than DNS, NTP and the like",
		contract.ServerOnly: "answers, and opens no session other than DNS, NTP and the like",
		contract.Allowlist:  "opens only the sessions that its contract allows",
		contract.Normal:     "behaves as it did before",
	}[x]
	switch source {
	case contract.FromInventory:
		return s + " (inventory)"
	case contract.FromPolicy:
		return s + " (policy)"
	case contract.FromIdle:
		return s + " (it has been idle)"
	case contract.FromLearned:
		return s + " (learned)"
	}
	return s
}

// benign returns the reason that describes what would make a finding harmless.
func benign(text string) Reason { return Reason{Code: "benign_if", Text: text} }

// listing joins at most n items and adds how many more there are.
func listing(items []string, n int) string {
	if len(items) <= n {
		return strings.Join(items, ", ")
	}
	return strings.Join(items[:n], ", ") + fmt.Sprintf(" and %d more", len(items)-n)
}

// Plural formats a number with its noun: "1 source", "5 sources".
func Plural[T int | int64 | uint64](n T, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// plural returns the form of a noun for a number that is written elsewhere.
func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// portName is service without the application: "443/tcp".
func portName(e *Event) string { return PortName(e.Session) }

// PortName names the port and protocol of a session: "443/tcp", "ICMP".
func PortName(v *session.View) string { return service(&Event{Session: v}) }
