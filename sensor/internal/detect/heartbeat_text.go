// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"math/bits"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
)

const benignHeartbeat = "the task was switched off, moved or replaced on purpose, or runs less often now"

func (h *heartbeat) finding(d *device.Device, missing []*routine, now int64, c *Context) *Finding {
	f := h.about(d, missing[0], now, c)
	who := f.self()
	var names []string
	for _, b := range missing {
		names = append(names, b.name())
		if b.peer != (packet.Addr{}) {
			f.Entities = append(f.Entities, "ip:"+b.peer.NetipOf(b.v6).String())
		}
	}
	b := missing[0]
	days := bits.OnesCount64(b.days & routineWeek)
	what, also := name{names[0], names[0]}, ""
	if len(names) > 1 {
		what.short = fmt.Sprintf("%s and %d more", names[0], len(names)-1)
		also = fmt.Sprintf("; the same applies to %s", listing(names[1:], 8))
	}
	f.Title = headline("%s no longer opens %s", who, name{what.short, what.short})
	f.Message = fmt.Sprintf("Expected: %s opens %s, as on %d of 7 days, at most %s apart. Seen: none since %s, for %s, while the device itself was seen%s.",
		who.full, names[0], days, span(b.longest), clock(b.last), span(now-b.last), also)
	f.Reasons = []Reason{{Code: "regular", Text: fmt.Sprintf("seen on %d of 7 days until then, at most %s apart", days, span(b.longest)), Weight: 0.3}, benign(benignHeartbeat)}
	for i, b := range missing[:min(len(missing), maxListed)] {
		f.Evidence = append(f.Evidence, Evidence{Kind: "heartbeat", Summary: "last " + names[i] + " at " + clock(b.last),
			Data: map[string]any{"absent_s": (now - b.last) / second, "longest_gap_s": b.longest / second, "days": bits.OnesCount64(b.days & routineWeek)}})
	}
	return f
}

// about returns a finding about a device that has stopped a routine, without its texts.
func (h *heartbeat) about(d *device.Device, b *routine, now int64, c *Context) *Finding {
	c.Devices.Settle(d)
	f := &Finding{Rule: h.Rule(), Device: d, DeviceAddr: d.IP(), Start: b.last, End: now, Key: "heartbeat " + b.name(), WindowS: weekSeconds, Count: 1,
		Severity: Medium, Maintenance: c.Contracts.Maintenance(d, now)}
	f.Entities = entities(f)
	f.Recommendation = heartbeatRule.advise("", d)
	return f
}

// back reports that a routine is seen again, if its alert is still open.
func (h *heartbeat) back(b *routine, d *device.Device, at int64, c *Context) {
	if at-b.reportedAt >= weekSeconds*second {
		return
	}
	f := h.about(d, b, at, c)
	f.Continues = true
	who, what := f.self(), b.name()
	f.Title = headline("%s opens %s again", who, name{what, what})
	f.Message = fmt.Sprintf("Expected: %s opens %s. Seen: none from %s to %s, for %s; then it did again.", who.full, what, clock(b.last), clock(at), span(at-b.last))
	f.Reasons = []Reason{{Code: "back", Text: "the device does it again", Weight: -0.2}, benign(benignHeartbeat)}
	f.Evidence = []Evidence{{Kind: "heartbeat", Summary: "seen again at " + clock(at), Data: map[string]any{"absent_s": (at - b.last) / second}, Time: at}}
	c.Emit(f)
}
