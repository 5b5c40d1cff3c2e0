// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/session"
)

// groupUse is what a device has sent to groups since a time. Discovery is allowed to silent devices, so a device could send data to a listener on its
// segment, on the ports of discovery or in many small sessions.
type groupUse struct {
	from     int64
	bytes    uint64
	reported bool
}

// group counts what a session to a group has carried. Sessions that are no discovery break the contract, and D01 reports them.
func (w *wake) group(e *Event, c *Context) {
	v, d := e.Session, e.Initiator
	if d == nil || !v.ToGroup() || w.p.GroupBytes <= 0 {
		return
	}
	now, before := v.IPBytes[session.Out], uint64(0)
	if e.Kind == SessionEnded {
		before, _ = w.sessions.take(v.ID)
	} else {
		s := w.sessions.put(v.ID, c.Now)
		before, *s = *s, now
	}
	x, source := c.Contracts.Expect(d, c.Now)
	if x < contract.ServerOnly || !c.verdict(e).Infrastructure {
		return
	}
	g := &w.devices.put(d.ID, c.Now).group
	if c.Now-g.from >= hour {
		*g = groupUse{from: max(v.Start, c.Now-hour)}
	}
	grown := now - min(before, now)
	if lasted := v.End - v.Start; before == 0 && lasted > hour { // all of it is reported at once
		grown = uint64(float64(grown) * float64(hour) / float64(lasted))
	}
	if g.bytes += grown; g.bytes > uint64(w.p.GroupBytes) && !g.reported {
		g.reported = true
		c.Emit(w.overGroupBudget(e, c, g, x, source))
	}
}

func (w *wake) overGroupBudget(e *Event, c *Context, g *groupUse, x contract.Expect, source string) *Finding {
	f := c.sessionFinding(w.Rule(), e, session.Out)
	f.Key, f.Stage, f.Severity, f.Start = "group budget", StageOutbound, Medium, g.from
	if !strict(x, source) {
		f.Severity = Low
	}
	who := f.self()
	f.Brief = "sends an unusual amount to multicast"
	f.Title = headline("%s sends an unusual amount to multicast and broadcast addresses", who)
	f.Message = fmt.Sprintf("Expected: %s %s, and sends at most %s an hour to multicast and broadcast addresses. Seen: %s since %s, the last to %s.",
		who.full, expectation(x, source), size(uint64(w.p.GroupBytes)), size(g.bytes), clock(g.from), f.other().full)
	f.Reasons = []Reason{{Code: "budget", Text: "any host on the segment receives it: data can leave a silent device that way", Weight: 0.3},
		benign("the device offers many services by mDNS or SSDP, or streams to a group")}
	f.Evidence = []Evidence{{Kind: "budget", Summary: size(g.bytes) + " to groups", Data: map[string]any{"bytes": g.bytes, "since": clock(g.from)}}}
	f.Recommendation = wakeRule.advise("group", f.Device)
	return f
}
