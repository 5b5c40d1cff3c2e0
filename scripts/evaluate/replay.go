// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"stillwatch/schemas"
)

// sample is a labelled capture.
type sample struct {
	name, path string
	inventory  []string // arguments of a replay with what is known of the devices
	always     []string // arguments of every replay
	wants      []want
	attack     int64   // when the attack begins; 0 if there is none
	quiet      float64 // device-days before it
	attacked   *party  // whom a high alert must be about; nil if there is no attack
	benign     bool    // every alert is false
}

// party is a device or a peer, by all that may name it.
type party struct {
	key string
	mac string
	ip  netip.Addr
}

// want is an alert that must be raised.
type want struct {
	rule string // "" for any
	who  []party
	peer netip.Addr // of the session; not valid for any
	from int64      // when the evidence is complete
	text string
}

// raised is an alert: its last revision, and when the first was decided.
type raised struct {
	last  schemas.Alert
	first int64
}

var severities = []string{"informational", "low", "medium", "high", "critical"}

func (r *raised) severity() int { return slices.Index(severities, r.last.Severity) }

// about reports whether an alert is about a party, or names it as the peer.
func (r *raised) about(p *party) bool {
	d := &r.last.Device
	return d.Key == p.key || p.ip.IsValid() && d.IP == p.ip || p.mac != "" && d.MAC.String() == p.mac ||
		p.ip.IsValid() && r.last.Peer != nil && r.last.Peer.IP == p.ip
}

// score counts what the sensor found.
type score struct {
	expected, byRule, byAny int
	attacks, loud           int // captures with an attack; those with a high or critical alert about its victim
	delays                  []float64
	missed                  []string
	false                   [5]int // by severity
	days                    float64
}

func (s *score) add(x *score) {
	s.expected += x.expected
	s.byRule += x.byRule
	s.byAny += x.byAny
	s.attacks += x.attacks
	s.loud += x.loud
	s.delays = append(s.delays, x.delays...)
	s.missed = append(s.missed, x.missed...)
	for i := range s.false {
		s.false[i] += x.false[i]
	}
	s.days += x.days
}

// replay replays the changed capture and compares the alerts with the labels.
func (s *sample) replay(sensor, dir string, c *change, inventory bool) (score, error) {
	path := s.path
	if c.keep != nil {
		f, err := os.CreateTemp(dir, "*.pcap")
		if err != nil {
			return score{}, err
		}
		path = f.Name()
		defer func() { _ = os.Remove(path) }()
		if err := errors.Join(f.Close(), c.apply(s.name, s.path, path)); err != nil {
			return score{}, err
		}
	}
	args := append([]string{"replay", "--log-level", "error", "--no-color"}, s.always...)
	if inventory {
		args = append(args, s.inventory...)
	}
	alerts, err := alertsOf(sensor, append(args, path)...)
	if err != nil {
		return score{}, fmt.Errorf("%s, %s: %w", s.name, c.name, err)
	}
	if c.keep != nil { // D41 is right to report what was done to the capture
		alerts = slices.DeleteFunc(alerts, func(r *raised) bool { return r.last.Rule.ID == "D41" })
	}
	return s.compare(alerts), nil
}

// alertsOf runs the sensor and returns the alerts in the order in which they were raised.
func alertsOf(sensor string, args ...string) ([]*raised, error) {
	var out, errs bytes.Buffer
	sensor, err := filepath.Abs(sensor)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(sensor, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	const damaged = 1 // a capture was cut short: the rest was read
	if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != damaged {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
	}
	var all []*raised
	byID := map[string]*raised{}
	for line := range bytes.Lines(out.Bytes()) {
		var a schemas.Alert
		if err := json.Unmarshal(line, &a); err != nil {
			return nil, err
		}
		r := byID[a.ID]
		if r == nil {
			r = &raised{first: int64(a.Time.DetectedAt)}
			byID[a.ID], all = r, append(all, r)
		}
		r.last = a
	}
	return all, nil
}

// compare compares alerts with the labels.
func (s *sample) compare(alerts []*raised) (x score) {
	explained := map[*raised]bool{}
	for i := range s.wants {
		w := &s.wants[i]
		x.expected++
		first, named := int64(-1), false
		for _, r := range alerts {
			if r.severity() == 0 && w.rule == "" || !w.meets(r) {
				continue
			}
			named = named || r.severity() > 0
			if w.rule != "" && r.last.Rule.ID != w.rule {
				continue
			}
			explained[r] = true
			if d := w.delay(r); first < 0 || d < first {
				first = d
			}
		}
		x.byAny += times(named || first >= 0)
		if first < 0 {
			x.missed = append(x.missed, s.name+" "+w.text)
			continue
		}
		x.byRule++
		x.delays = append(x.delays, float64(first)/1e9)
	}
	if s.attacked != nil {
		x.attacks = 1
		x.loud = times(slices.ContainsFunc(alerts, func(r *raised) bool {
			return r.severity() >= 3 && r.about(s.attacked) && int64(r.last.Time.EventEnd) >= s.attack
		}))
	}
	x.days = s.quiet
	for _, r := range alerts {
		before := s.attack == 0 || int64(r.last.Time.EventStart) < s.attack
		if s.quiet > 0 && (s.benign || before && !explained[r]) && r.last.AbsorbedBy == "" {
			x.false[r.severity()]++
		}
	}
	return x
}

// meets reports whether an alert is about a wanted party and peer.
func (w *want) meets(r *raised) bool {
	if !slices.ContainsFunc(w.who, func(p party) bool { return r.about(&p) }) {
		return false
	}
	return !w.peer.IsValid() || r.about(&party{ip: w.peer})
}

// delay returns how long after the evidence was complete an alert was raised; 0 if it had been raised before.
func (w *want) delay(r *raised) int64 { return max(r.first-w.from, 0) }
