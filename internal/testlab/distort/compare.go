// SPDX-License-Identifier: Apache-2.0

package distort

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"stillwatch/schemas"
)

// Alert is what two runs must have in common of an alert. Key is its key without the id of an incident: an alert about one peer names that
// peer there, and one about many names none, because it begins with any of them.
type Alert struct{ Rule, Device, Key string }

// Outcome is what a sensor made of a capture.
type Outcome struct {
	Alerts   map[Alert]string  // with the highest severity; those that another alert tells and those about the mirror itself are left out
	Absorbed map[Alert]string  // those that another alert tells
	Sessions map[string]Counts // by protocol and both ends
}

// Counts are the totals of the sessions between two ends.
type Counts struct{ Packets, Bytes uint64 }

// aboutTheMirror is the rule that reports faults of the mirror: it must speak where the others must not.
const aboutTheMirror = "D41"

// severities are in order.
var severities = []string{"informational", "low", "medium", "high", "critical"}

// Replay runs the sensor on a capture.
func Replay(sensor string, c *Capture, args ...string) (*Outcome, error) {
	dir, err := os.MkdirTemp("", "distort")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	in := new(bytes.Buffer)
	if _, err := c.WriteTo(in); err != nil {
		return nil, err
	}
	sessions := filepath.Join(dir, "sessions")
	cmd := exec.Command(sensor, slices.Concat([]string{"replay", "--log-level", "error", "--sessions", sessions}, args, []string{"-"})...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %.500s", err, stderr.String())
	}
	text, err := os.ReadFile(sessions)
	if err != nil {
		return nil, err
	}
	o := &Outcome{Alerts: map[Alert]string{}, Absorbed: map[Alert]string{}, Sessions: map[string]Counts{}}
	if err := o.readAlerts(stdout.Bytes()); err != nil {
		return nil, err
	}
	return o, o.readSessions(text)
}

func (o *Outcome) readAlerts(text []byte) error {
	last := map[string]schemas.Alert{}
	for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
		var a schemas.Alert
		if err := d.Decode(&a); err != nil {
			return err
		}
		last[a.ID] = a
	}
	for _, a := range last {
		to := o.Alerts
		switch {
		case a.Rule.ID == aboutTheMirror:
			continue
		case a.AbsorbedBy != "":
			to = o.Absorbed
		}
		k := Alert{a.Rule.ID, a.Device.Key, a.Dedupe.Key}
		if strings.HasPrefix(k.Key, "incident ") {
			k.Key = "incident"
		}
		to[k] = worse(to[k], a.Severity)
	}
	return nil
}

// worst returns the highest severity that a rule gave a device, in alerts about any peer: with some frames missing, an alert about many peers
// may name another one, and what explains an alert may be missing.
func (o *Outcome) worst(rule, device string) (severity string) {
	for _, all := range []map[Alert]string{o.Alerts, o.Absorbed} {
		for k, s := range all {
			if k.Rule == rule && k.Device == device {
				severity = worse(severity, s)
			}
		}
	}
	return severity
}

func worse(a, b string) string {
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// rank returns the place of a severity; no alert comes before all of them.
func rank(severity string) int { return slices.Index(severities, severity) }

func (o *Outcome) readSessions(text []byte) error {
	for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
		var s schemas.Session
		if err := d.Decode(&s); err != nil {
			return err
		}
		ends := []string{end(&s.Initiator), end(&s.Responder)}
		slices.Sort(ends)
		k := s.Proto + " " + strings.Join(ends, " ")
		n := o.Sessions[k]
		n.Packets += s.PacketsOut + s.PacketsIn - s.PacketsDuplicate
		n.Bytes += s.IPBytesOut + s.IPBytesIn - s.IPBytesDuplicate
		o.Sessions[k] = n
	}
	return nil
}

func end(e *schemas.Endpoint) string {
	if e.Port == nil {
		return e.IP.String()
	}
	return fmt.Sprintf("%s:%d", e.IP, *e.Port)
}

// Difference is how far an outcome is from that of the capture without the fault. Differences of several captures can be added.
type Difference struct {
	Both, Either   int     // alerts in both, and in at least one
	Raised         []Raise // alerts that are more severe than all that the rule raises about the device without the fault
	Packets, Bytes Share   // counted too much or too little, over the sessions
	Missing, Extra []Alert
}

// Raise is an alert that is more severe than without the fault; Was is "" if there was none.
type Raise struct {
	Alert
	Was, Is string
}

// Share is a part of a whole.
type Share struct{ Part, Whole uint64 }

// Of returns the part as a fraction.
func (s Share) Of() float64 { return float64(s.Part) / float64(max(s.Whole, 1)) }

// Jaccard returns the similarity of the two sets of alerts: 1 if they are equal.
func (d *Difference) Jaccard() float64 {
	if d.Either == 0 {
		return 1
	}
	return float64(d.Both) / float64(d.Either)
}

// NewHigh returns the alerts of severity high or critical that are more severe than without the fault.
func (d *Difference) NewHigh() []Raise {
	return slices.DeleteFunc(slices.Clone(d.Raised), func(r Raise) bool { return rank(r.Is) < rank("high") })
}

// Add adds x to d.
func (d *Difference) Add(x *Difference) {
	d.Both += x.Both
	d.Either += x.Either
	d.Raised = append(d.Raised, x.Raised...)
	d.Missing = append(d.Missing, x.Missing...)
	d.Extra = append(d.Extra, x.Extra...)
	for _, s := range []struct{ to, from *Share }{{&d.Packets, &x.Packets}, {&d.Bytes, &x.Bytes}} {
		s.to.Part += s.from.Part
		s.to.Whole += s.from.Whole
	}
}

// Compare compares the outcome of a capture with a fault to that without.
func Compare(clean, faulty *Outcome) *Difference {
	d := &Difference{}
	for k := range clean.Alerts {
		d.Either++
		if _, ok := faulty.Alerts[k]; ok {
			d.Both++
		} else {
			d.Missing = append(d.Missing, k)
		}
	}
	for k, is := range faulty.Alerts {
		if _, ok := clean.Alerts[k]; !ok {
			d.Either++
			d.Extra = append(d.Extra, k)
		}
		if was := clean.worst(k.Rule, k.Device); rank(is) > rank(was) {
			d.Raised = append(d.Raised, Raise{k, was, is})
		}
	}
	byName := func(a, b Alert) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Key, b.Key))
	}
	slices.SortFunc(d.Missing, byName)
	slices.SortFunc(d.Extra, byName)
	slices.SortFunc(d.Raised, func(a, b Raise) int { return byName(a.Alert, b.Alert) })
	for k, was := range clean.Sessions {
		is := faulty.Sessions[k]
		d.Packets.Part += apart(was.Packets, is.Packets)
		d.Bytes.Part += apart(was.Bytes, is.Bytes)
		d.Packets.Whole += was.Packets
		d.Bytes.Whole += was.Bytes
	}
	for k, is := range faulty.Sessions {
		if _, ok := clean.Sessions[k]; !ok {
			d.Packets.Part += is.Packets
			d.Bytes.Part += is.Bytes
		}
	}
	return d
}

func apart(a, b uint64) uint64 { return max(a, b) - min(a, b) }
