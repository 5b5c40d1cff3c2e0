// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/device"
)

// severity is medium for what is expected to be there at all times, and low for the rest.
func (a *absence) severity(d *device.Device) Severity {
	switch d.Role {
	case device.Camera, device.NVR, device.VMS, device.Server, device.NetworkGear:
		return Medium
	}
	if d.Declared {
		return Medium
	}
	return Low
}

func (a *absence) finding(x *presence, now int64, c *Context) *Finding {
	c.Devices.Settle(x.dev)
	f := a.about(x.dev, x.last, now, c)
	who, away := f.self(), span(now-x.last)
	usual := "it was never silent for longer than " + span(x.longest)
	f.Title = headline("%s has disappeared", who)
	f.Message = fmt.Sprintf("Expected: %s is there; %s. Seen: its last frame at %s, and none for %s while others of its network were seen.",
		who.full, usual, clock(x.last), away)
	what, text := "regular", usual
	if a.streaming(x) {
		what, text = "streaming", "it streamed all the time until then"
	}
	f.Reasons = []Reason{{Code: what, Text: text, Weight: 0.3}, benign("it was switched off, moved or replaced on purpose")}
	f.Evidence = []Evidence{{Kind: "presence", Summary: "last frame at " + clock(x.last),
		Data: map[string]any{"absent_s": (now - x.last) / second, "longest_gap_s": x.longest / second, "streamed": what == "streaming"}}}
	return f
}

func (a *absence) about(d *device.Device, since, now int64, c *Context) *Finding {
	f := &Finding{Rule: a.Rule(), Device: d, DeviceAddr: d.IP(), Start: since, End: now, Key: "disappeared", WindowS: weekSeconds, Count: 1,
		Severity: a.severity(d), Maintenance: c.Contracts.Maintenance(d, now)}
	f.Entities = entities(f)
	f.Recommendation = absenceRule.advise("", d)
	return f
}

// outage is the finding about devices of a VLAN that disappeared at once. It is about no single device.
func (a *absence) outage(x *presence, gone []*presence, there int, now int64, c *Context) *Finding {
	where := "without a VLAN tag"
	if x.mark.VLAN != 0 {
		where = fmt.Sprintf("in VLAN %d", x.mark.VLAN)
	}
	f := &Finding{Rule: a.Rule(), Start: x.last, End: now, Key: fmt.Sprintf("disappeared in VLAN %d", x.mark.VLAN), WindowS: weekSeconds, Count: 1, Severity: Medium}
	var names []string
	for _, y := range gone {
		c.Devices.Settle(y.dev)
		names = append(names, label(y.dev, netip.Addr{}).full)
		f.Entities = addDistinct(f.Entities, "device:"+y.dev.Key, maxListed)
	}
	slices.Sort(names)
	what := fmt.Sprintf("%d devices %s", len(gone), where)
	f.Title = what + " disappeared at once"
	f.Message = fmt.Sprintf("Expected: the devices %s are there. Seen: %s had their last frame at %s or within %s of it, and none since, while %s: %s.",
		where, what, clock(x.last), span(atOnce), Plural(there, "other is still there", "others are still there"), listing(names, 5))
	f.Reasons = []Reason{{Code: "at_once", Text: "they disappeared together: their switch, the link to it or the mirror has failed", Weight: 0.3},
		benign("a switch is being maintained, or the mirror session was changed")}
	f.Evidence = []Evidence{{Kind: "presence", Summary: fmt.Sprintf("%s, last frames at %s", what, clock(x.last)),
		Data: map[string]any{"devices": len(gone), "still_there": there, "absent_s": (now - x.last) / second}}}
	f.Recommendation = absenceRule.advise("many", nil)
	return f
}

// back reports that a device is seen again, if its alert is still open.
func (a *absence) back(g *disappearance, d *device.Device, at int64, c *Context) {
	if at-g.at >= weekSeconds*second {
		return
	}
	f := a.about(d, g.since, at, c)
	f.Continues = true
	who := f.self()
	f.Title = headline("%s is back after it had disappeared", who)
	f.Message = fmt.Sprintf("Expected: %s is there. Seen: no frame from %s to %s, for %s; then it was seen again.", who.full, clock(g.since), clock(at), span(at-g.since))
	f.Reasons = []Reason{{Code: "back", Text: "the device is seen again", Weight: -0.2}, benign("it was switched off or moved on purpose")}
	f.Evidence = []Evidence{{Kind: "presence", Summary: "seen again at " + clock(at), Data: map[string]any{"absent_s": (at - g.since) / second}, Time: at}}
	c.Emit(f)
}
