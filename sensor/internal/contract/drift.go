// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"fmt"
	"time"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

// updateDays is how long after a change of the firmware a new destination is explained by it.
const updateDays = 7

// updated notes a change of the firmware that the device announces.
func (c *Learned) updated(d *device.Device, now int64) {
	if d.Firmware == "" || d.Firmware == c.Firmware {
		return
	}
	if c.Firmware != "" {
		c.Updated = now
	}
	c.Firmware = d.Firmware
}

// Explains returns why a session that is outside the contract is no surprise, "" if it is one: another name of a domain that the device knows, or a
// named or internal destination within a week after a new firmware. An open incident explains nothing.
func (l *Learner) Explains(c *Learned, d *device.Device, x *Contact, r Result, now int64) string {
	c.updated(d, now)
	switch {
	case now < c.Suspect || Forbids(c.Role, x.Proto, x.port, x.App) != "":
		return ""
	case r == SameDomain:
		return "another name of a domain that it knows"
	case c.Updated != 0 && now-c.Updated < updateDays*dayNs && (x.inside || x.Peer.Kind == ByName):
		return fmt.Sprintf("new firmware %.40q since %s", c.Firmware, time.Unix(0, c.Updated).UTC().Format(time.DateOnly))
	}
	return ""
}

// Propose keeps a session that is outside the contract as an entry that an analyst may approve. It allows nothing. why says what explains it.
// During an incident, nothing is proposed.
func (l *Learner) Propose(c *Learned, x *Contact, v *session.View, why string) {
	l.Outside(c)
	switch {
	case v.Start < c.Suspect, c.entries[x.Key] != nil, len(c.entries) >= l.cfg.MaxEntries, l.total >= l.cfg.MaxTotal:
		return
	}
	e := &LearnedEntry{Key: x.Key, Note: why, Addr: v.Responder.Addr}
	l.add(c, e)
	e.use(uint32(v.Start/hourNs), 0)
}

// Outside counts a session that is outside the contract.
func (l *Learner) Outside(c *Learned) {
	c.Outside++
	l.touch(c)
}

// Proposed reports whether the entry waits for an analyst: it was seen after learning had ended.
func (c *Learned) Proposed(e *LearnedEntry) bool { return !e.Learned && c.Enforced() }

// Outsiders returns the entries that lead to destinations outside the network, in the order of Entries: the list to read in a review.
func (c *Learned) Outsiders() (out []*LearnedEntry) {
	for _, e := range c.Entries(false) {
		switch e.Peer.Kind {
		case ByName, ByDomain, BySystem, Anyone, Outside:
			out = append(out, e)
		case ByNetwork:
			if e.Peer.Bare() {
				out = append(out, e)
			}
		}
	}
	return out
}

// Contradicts returns how an entry breaks the role of the device, "" if it does not.
func (c *Learned) Contradicts(e *LearnedEntry) string {
	if e.Dir == session.In {
		return ""
	}
	return Forbids(c.Role, e.Proto, e.Port, e.App)
}
