// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stillwatch/sensor/internal/customrule"
)

// counted is how many matches make an alert, in which time, and of whom.
type counted struct {
	n      int
	within time.Duration
	pair   bool   // of a device and a peer
	about  string // which end of the session is the device
}

// aggregation translates what follows the "|" of a condition: "count() by src_ip > 10", with the timeframe of the detection.
func (t *translator) aggregation(words []string) error {
	if len(words) < 5 || words[0] != "count" || words[1] != "(" {
		return errors.New("of the aggregations only count() by … within a timeframe is supported")
	}
	if words[2] != ")" {
		return errors.New("count of the different values of a field is not supported: only count() is")
	}
	by, rest := "", words[3:]
	if rest[0] != "by" {
		return errors.New("count() without by is not supported: the sensor counts by src_ip, dst_ip or both")
	}
	for rest = rest[1:]; len(rest) > 2; rest = rest[1:] {
		by += rest[0]
	}
	if err := t.groupBy(strings.Split(by, ",")); err != nil {
		return err
	}
	if len(rest) < 2 {
		return errors.New("the aggregation ends early")
	}
	n, err := strconv.Atoi(rest[1])
	if rest[0] == ">" {
		n++
	} else if rest[0] != ">=" {
		return fmt.Errorf("count() must be compared with > or >=, not %q", oneLine(rest[0], 20))
	}
	if err != nil || n < 1 || n > customrule.MaxCount {
		return fmt.Errorf("count() must be compared with a number from 1 to %d", customrule.MaxCount-1)
	}
	t.counted.n = n
	t.counted.within, err = timeframe(text(t.detection, "timeframe"))
	return err
}

// groupBy translates the fields by which matches are counted.
func (t *translator) groupBy(fields []string) error {
	var own []string
	for _, f := range fields {
		name, err := t.fieldOf(f)
		if err != nil {
			return err
		}
		own = append(own, name)
	}
	slices.Sort(own)
	switch {
	case slices.Equal(own, []string{"session.client"}):
		t.counted.pair, t.counted.about = false, "client"
	case slices.Equal(own, []string{"session.server"}):
		t.counted.pair, t.counted.about = false, "server"
	case slices.Equal(own, []string{"session.client", "session.server"}):
		t.counted.pair = true
	default:
		return fmt.Errorf("count() by %s is not supported: the sensor counts by src_ip, dst_ip or both", oneLine(strings.Join(fields, ", "), 60))
	}
	return nil
}

// timeframe reads a time of Sigma: "30s", "5m", "1h", "7d"; "" is the longest usual one.
func timeframe(s string) (time.Duration, error) {
	if s == "" {
		return customrule.DefaultSpan, nil
	}
	unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[s[len(s)-1]]
	n, err := strconv.Atoi(s[:len(s)-1])
	if err != nil || unit == 0 || n < 1 || n > int(customrule.MaxWithin/unit) {
		return 0, fmt.Errorf("the timeframe %q is none of 1 s to 7 days: write 30s, 5m, 1h or 7d", oneLine(s, 20))
	}
	return time.Duration(n) * unit, nil
}
