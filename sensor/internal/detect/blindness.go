// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"math"
	"strings"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(blindnessRule)

// blindnessRule registers D41.
var blindnessRule = register(registration{
	Rule: Rule{
		ID: "D41", Name: "Blindness", Kind: "blindness", Version: 1, Reliability: 0.1,
		Attack: join(enterprise(taEvasion, "T1562"), ics(icsInhibit, "T0804")),
	},
	advice: map[string]steps{
		"": {
			"Check on the switch that the mirror session copies both directions and all VLANs.",
			"Compare the drop counters of the mirror port and of the sensor.",
			"Until it is fixed, treat alerts about missing answers with caution.",
		},
	},
}, DefaultBlindnessParams, newBlindness)

// BlindnessParams are the parameters of D41.
type BlindnessParams struct {
	OneWayShare   float64 `yaml:"one_way_share"`  // share of TCP sessions of which one direction is never seen: medium from here
	OneWayBad     float64 `yaml:"one_way_bad"`    // the same: high from here
	GapShareWarn  float64 `yaml:"gap_share_warn"` // share of acknowledged bytes that were not captured: low from here
	GapShareBad   float64 `yaml:"gap_share_bad"`  // the same: high from here
	DupShare      float64 `yaml:"dup_share"`      // share of TCP packets that are copies of others: low from here
	LossRatio     float64 `yaml:"loss_ratio"`     // share of frames that were dropped before they were read
	WindowSeconds int     `yaml:"window_seconds"` // how often the shares are checked
}

// DefaultBlindnessParams returns the defaults of D41.
func DefaultBlindnessParams() BlindnessParams {
	return BlindnessParams{OneWayShare: 0.05, OneWayBad: 0.5, GapShareWarn: 0.01, GapShareBad: 0.10, DupShare: 0.20, LossRatio: 0.01, WindowSeconds: 300}
}

// blindness is D41: the sensor sees too little of the traffic for its alerts to be trusted. Its findings are about the sensor and have
// no device. The shares are measured where the packets are; detectors that need both directions read them from Context.Quality.
type blindness struct {
	p    BlindnessParams
	from int64 // start of the window
	// Why nothing can be captured at present, and since when; "" if capture works.
	blind string
	since int64
}

func newBlindness(p BlindnessParams) *blindness { return &blindness{p: p} }

func (b *blindness) Rule() Rule { return blindnessRule.Rule }

func (b *blindness) Kinds() []Kind { return []Kind{SessionOpened, LinkFact} }

func (b *blindness) setParams(p BlindnessParams) {
	b.p = p
}

func (b *blindness) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{snapshot.Single("D41/1", func(c *snapshot.Codec) { c.Time(&b.from) })}
}

func (b *blindness) Observe(e *Event, c *Context) {
	if b.from == 0 {
		b.from = e.Time
	}
}

func (b *blindness) Tick(now int64, c *Context) {
	if b.from == 0 {
		b.from = now
	}
	if now-b.from < int64(b.p.WindowSeconds)*second {
		return
	}
	b.checkQuality(now, c)
	b.from = now
}

// Finish checks the window that the end of the run cuts short.
func (b *blindness) Finish(now int64, c *Context) {
	if b.from != 0 && now > b.from {
		b.checkQuality(now, c)
	}
}

func (b *blindness) checkQuality(now int64, c *Context) {
	q := c.Quality
	if q.OneWayShare > b.p.OneWayShare {
		sev := Medium
		if q.OneWayShare > b.p.OneWayBad {
			sev = High
		}
		c.Emit(b.finding(now, "one_way", q.OneWayShare, b.p.OneWayShare, sev,
			"of the TCP sessions show one direction only", "the mirror port copies one direction, or replies take another path"))
	}
	switch {
	case q.GapShare > b.p.GapShareBad:
		c.Emit(b.finding(now, "gaps", q.GapShare, b.p.GapShareBad, High, "of the acknowledged bytes were not captured", "the mirror port or the sensor is overloaded"))
	case q.GapShare > b.p.GapShareWarn:
		c.Emit(b.finding(now, "gaps", q.GapShare, b.p.GapShareWarn, Low, "of the acknowledged bytes were not captured", "the mirror port or the sensor is overloaded"))
	}
	if q.DupShare > b.p.DupShare {
		c.Emit(b.finding(now, "duplicates", q.DupShare, b.p.DupShare, Low, "of the TCP packets are copies of others", "the same traffic is mirrored from two ports; copies are counted once"))
	}
	if q.LossRatio > b.p.LossRatio {
		c.Emit(b.finding(now, "loss", q.LossRatio, b.p.LossRatio, High, "of the frames were dropped before they were read", "the sensor is too slow for this port"))
	}
}

func (b *blindness) finding(now int64, key string, share, limit float64, sev Severity, what, why string) *Finding {
	subject := "The sensor misses traffic"
	if key == "duplicates" {
		subject = "The sensor sees traffic more than once"
	}
	return &Finding{
		Rule: b.Rule(), Start: b.from, End: now, Key: key, WindowS: 6 * 60 * 60, Severity: sev, Count: 1,
		Title: fmt.Sprintf("%s: %.1f %% %s", subject, 100*share, what),
		Message: fmt.Sprintf("Expected: at most %g %% %s. Seen: %.1f %% between %s and %s.",
			math.Round(1000*limit)/10, what, 100*share, clock(b.from), clock(now)),
		Reasons:        []Reason{{Code: key, Text: why, Weight: 0.5}, benign("the port was set up this way on purpose")},
		Evidence:       []Evidence{{Kind: "quality", Summary: fmt.Sprintf("%.1f %% %s", 100*share, what), Data: map[string]any{"share": share, "limit": limit}}},
		Recommendation: blindnessRule.advise("", nil),
	}
}

// VisibilityChanged reports that nothing can be captured at the port, and for how long that was so once it is over.
func (b *blindness) VisibilityChanged(c *Context) {
	if b.blind != "" {
		f := b.blindFinding(c.Now)
		f.Title = fmt.Sprintf("The sensor was blind for %s: %s", span(c.Now-b.since), b.blind)
		f.Message = fmt.Sprintf("Expected: frames can be received at the port. Seen: %s from %s to %s; nothing was captured in that time.", b.blind, clock(b.since), clock(c.Now))
		f.Continues = true
		c.Emit(f)
	}
	if b.blind, b.since = Clean(c.Quality.Blind, 200), c.Now; b.blind != "" {
		c.Emit(b.blindFinding(c.Now))
	}
}

// cause returns b.blind without its times. One alert is one cause; if it recurs after WindowS a new alert begins.
func (b *blindness) cause() string {
	cause, _, _ := strings.Cut(b.blind, " since ")
	return cause
}

func (b *blindness) blindFinding(now int64) *Finding {
	return &Finding{
		Rule: b.Rule(), Start: b.since, End: now, Key: "blind: " + b.cause(), WindowS: 15 * 60, Severity: High, Count: 1,
		Title:          "The sensor is blind: " + b.blind,
		Message:        fmt.Sprintf("Expected: frames can be received at the port. Seen: %s, noticed at %s; nothing is captured until that changes.", b.blind, clock(b.since)),
		Reasons:        []Reason{{Code: "blind", Text: b.blind, Weight: 0.5}, benign("the port or the mirror session is being maintained")},
		Evidence:       []Evidence{{Kind: "quality", Summary: b.blind, Data: map[string]any{"blind_s": (now - b.since) / second}}},
		Recommendation: blindnessRule.advise("", nil),
	}
}
