// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/watchtime"
)

var _ = add(wakeRule)

// wakeRule registers D02.
var wakeRule = register(registration{
	Rule: Rule{
		ID: "D02", Name: "Wake from idle", Kind: "wake_from_idle", Version: 1, Reliability: 0.5,
		Attack: enterprise(taResources, "T1584.004", "T1584.008"),
	},
	titleOrder: 9,
	advice: map[string]steps{
		"": {
			"Ask the owner whether the device was put back into use.",
			"Read the other alerts about the device, and its logins of the hour before.",
			"If nobody can explain it: {then contain}",
		},
		"budget": {
			"Look at the names that the device asks for: long random ones are a tunnel.",
			"Check that the resolvers and time servers of the device answer.",
			"{inspect}",
		},
		"group": {
			"Look at the ports and names in what it sends, and note which services it announces.",
			"Find out which hosts on its segment listen to these groups.",
			"{inspect}",
		},
	},
}, DefaultWakeParams, newWake)

// WakeParams are the parameters of D02.
type WakeParams struct {
	IdleDays        int `yaml:"idle_days"`         // watched days without a session after which the next one is reported
	RebootSeconds   int `yaml:"reboot_seconds"`    // how long after a boot pattern a session counts as part of it
	InfraPerHour    int `yaml:"infra_per_hour"`    // infrastructure sessions an hour allowed to a device that should be silent
	GroupBytes      int `yaml:"group_bytes"`       // bytes an hour that a device that should be silent may send to multicast and broadcast addresses, on all ports; 0: any
	MaxDevices      int `yaml:"max_devices"`       // devices followed
	BootSignsNeeded int `yaml:"boot_signs_needed"` // how many of DHCP, ARP announcement and NTP make a boot
}

// DefaultWakeParams returns the defaults of D02.
func DefaultWakeParams() WakeParams {
	return WakeParams{IdleDays: 7, RebootSeconds: 120, InfraPerHour: 300, GroupBytes: 64 << 10, MaxDevices: 100_000, BootSignsNeeded: 2}
}

// wake is D02: a device that has opened nothing for days opens a session, or uses DNS and NTP far beyond its budget. Malware has
// hidden control sessions among thousands of DNS and NTP exchanges.
type wake struct {
	p        WakeParams
	devices  *table[uint32, wakeState] // by device ID
	sessions *table[uint64, uint64]    `snapshot:"-"` // to groups: what was counted of them
}

type wakeState struct {
	last      int64          // last origination outside infrastructure
	mark      watchtime.Mark // the same
	signs     [3]int64       // last DHCP request, ARP announcement, NTP request
	hourStart int64
	infra     int // infrastructure sessions since hourStart
	group     groupUse
}

func newWake(p WakeParams) *wake {
	return &wake{p: p, devices: newTable[uint32, wakeState](p.MaxDevices), sessions: newTable[uint64, uint64](p.MaxDevices)}
}

func (w *wake) Rule() Rule { return wakeRule.Rule }

func (w *wake) Kinds() []Kind {
	return []Kind{SessionOpened, SessionState, SessionFact, SessionProgress, SessionEnded, LinkFact}
}

func (w *wake) setParams(p WakeParams) {
	w.p = p
	w.devices.limit(p.MaxDevices)
	w.sessions.limit(p.MaxDevices)
}

func (w *wake) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{w.devices.part("D02.devices/3", deviceKey, func(c *snapshot.Codec, s *wakeState) {
		c.Time(&s.last)
		s.mark.Walk(c)
		for i := range s.signs {
			c.Time(&s.signs[i])
		}
		c.Time(&s.hourStart)
		c.Int(&s.infra)
		c.Time(&s.group.from)
		c.Uint(&s.group.bytes)
		c.Bool(&s.group.reported)
	})}
}

func (w *wake) evictions() uint64 { return w.devices.evicted() + w.sessions.evicted() }

func (w *wake) Tick(now int64, c *Context) {}

func (w *wake) Observe(e *Event, c *Context) {
	switch e.Kind {
	case SessionOpened:
		if Originated(e) && e.Session.Packets[session.Out] > 0 { // if what it sends is not captured, nobody knows when it was silent
			w.opened(e, c)
		}
	case SessionState: // a frame sent to a group is a session if the address answers
		if e.Session.Group && e.Session.State == session.Established && Originated(e) {
			w.opened(e, c)
		}
	case SessionProgress, SessionEnded:
		w.group(e, c)
	case SessionFact, LinkFact:
		w.noteBootSign(e, c)
	}
}

// noteBootSign records what a booting device does: request an address, announce it, ask for the time.
func (w *wake) noteBootSign(e *Event, c *Context) {
	d, kind := e.Initiator, 0
	switch f := e.Fact.(type) {
	case *dissect.DHCPMessage:
		if f.Type != "discover" && f.Type != "request" {
			return
		}
		d = c.Devices.ByMAC(f.ClientMAC)
	case *dissect.ARPMessage:
		if !f.Gratuitous && !f.Probe {
			return
		}
		d, kind = c.Devices.ByMAC(f.SenderMAC), 1
	case *dissect.NTPMessage:
		if f.Mode != 3 {
			return
		}
		kind = 2
	default:
		return
	}
	if d != nil {
		w.devices.put(d.ID, c.Now).signs[kind] = c.Now
	}
}

func (w *wake) opened(e *Event, c *Context) {
	d := e.Initiator
	v := c.verdict(e)
	s := w.devices.put(d.ID, c.Now)
	if v.Infrastructure {
		w.budget(e, c, s)
		return
	}
	q := quiet{since: s.last, opened: s.last != 0, watched: c.Devices.Since(s.mark, c.Now)}
	if !q.opened {
		q.since, q.watched = d.FirstSeen, d.WatchedFor(c.Now)
	}
	s.last, s.mark = c.Now, c.Devices.Mark(c.Now)
	if q.watched >= int64(w.p.IdleDays)*day && !c.Quality.Sampled() { // silence needs a capture that would show sessions
		c.Emit(w.finding(e, c, s, q, v))
	}
}

// quiet is a period in which a device opened nothing outside infrastructure.
type quiet struct {
	since   int64 // its last such session, or when it was first seen
	opened  bool  // it was the session
	watched int64 // nanoseconds of that time that were watched
}

// text describes how long a device was quiet before the time at, and how much of that was not watched, if a minute or more.
func (q quiet) text(at int64) string {
	if gap := at - q.since - q.watched; gap >= minute {
		return fmt.Sprintf("%s of watched time since %s (another %s was not watched)", span(q.watched), clock(q.since), span(gap))
	}
	return span(q.watched) + " of watched time"
}

// last describes when the device was last active.
func (q quiet) last() string {
	if q.opened {
		return "last session opened at " + clock(q.since)
	}
	return "first seen at " + clock(q.since) + ", no session opened since"
}

func (w *wake) finding(e *Event, c *Context, s *wakeState, q quiet, v contract.Verdict) *Finding {
	f := c.sessionFinding(w.Rule(), e, session.Out)
	x, source := c.Contracts.Expect(e.Initiator, c.Now)
	f.Key, f.Stage, f.Maintenance, f.Broken = "wake", StageOutbound, v.Maintenance, Clean(v.Broken, 300)
	f.Severity = Medium
	if strict(x, source) && !v.Allowed {
		f.Severity = High
	}
	who, silence := f.self(), span(q.watched)
	f.Brief = "active after silence"
	f.Title = headline("%s opened a session after %s of silence", who, name{silence, silence})
	f.Message = fmt.Sprintf("Expected: %s stays silent: it had opened no session other than DNS, NTP and the like in %s. Seen: at %s it %s %s to %s.",
		who.full, q.text(e.Session.Start), clock(e.Session.Start), verbs(e.Session, true), service(e), f.other().full)
	f.Reasons = []Reason{{Code: "idle", Text: "silent for " + silence + " of watched time", Weight: 0.5}}
	if w.rebooted(s, c.Now) {
		f.Severity = Low
		f.Reasons = append(f.Reasons, Reason{Code: "reboot", Text: "it had just booted: it asked for an address, announced one or asked for the time", Weight: -0.3})
	}
	if v.Allowed {
		f.Severity = min(f.Severity, Low)
		f.Reasons = append(f.Reasons, Reason{Code: "in_contract", Text: "its contract allows the session", Weight: -0.3})
	}
	f.Reasons = append(f.Reasons, benign("the device was restarted or is being maintained, or has a task that runs less than once a week"))
	f.Evidence = []Evidence{{Kind: "silence", Summary: q.last(), Data: map[string]any{"quiet_s": q.watched / second}}}
	f.Recommendation = wakeRule.advise("", f.Device)
	return f
}

func (w *wake) rebooted(s *wakeState, now int64) bool {
	n := 0
	for _, at := range s.signs {
		if at != 0 && now-at <= int64(w.p.RebootSeconds)*second {
			n++
		}
	}
	return n >= w.p.BootSignsNeeded
}

// budget counts the infrastructure sessions of devices that should be silent.
func (w *wake) budget(e *Event, c *Context, s *wakeState) {
	if c.Now-s.hourStart >= hour {
		s.hourStart, s.infra = c.Now, 0
	}
	s.infra++
	if s.infra != w.p.InfraPerHour+1 {
		return
	}
	x, source := c.Contracts.Expect(e.Initiator, c.Now)
	if x < contract.ServerOnly {
		return
	}
	c.Emit(w.overBudget(e, c, s, x, source))
}

func (w *wake) overBudget(e *Event, c *Context, s *wakeState, x contract.Expect, source string) *Finding {
	f := c.sessionFinding(w.Rule(), e, session.Out)
	f.Key, f.Stage, f.Severity, f.Start, f.Count = "infrastructure budget", StageOutbound, Medium, s.hourStart, s.infra
	f.Total = s.infra
	who := f.self()
	f.Brief = "sends unusually many DNS or NTP requests"
	f.Title = headline("%s sends unusually many DNS or NTP requests", who)
	f.Message = fmt.Sprintf("Expected: %s %s, and has at most %s of DNS, NTP and the like an hour. Seen: %d since %s, the last to %s.",
		who.full, expectation(x, source), Plural(w.p.InfraPerHour, "session", "sessions"), s.infra, clock(s.hourStart), f.other().full)
	f.Reasons = []Reason{{Code: "budget", Text: "so many DNS and NTP sessions can hide a control channel", Weight: 0.4},
		benign("a resolver or time server does not answer and the device asks again and again")}
	f.Recommendation = wakeRule.advise("budget", f.Device)
	return f
}
