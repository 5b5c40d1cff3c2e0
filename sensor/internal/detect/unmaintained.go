// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/lifecycle"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(unmaintainedRule)

// unmaintainedRule registers D33.
var unmaintainedRule = register(registration{
	Rule: Rule{
		ID: "D33", Name: "Unmaintained", Kind: "unmaintained", Version: 1, Reliability: 0.4,
		Attack: join(enterprise(taInitialAccess, "T1190"), ics(icsInitialAccess, "T0819")),
	},
	advice: map[string]steps{
		"": {
			"Compare the version with the current one of the vendor, and install that.",
			"If the vendor publishes no updates, plan to replace the device.",
			"Until then, let only the hosts that need the device reach it, and no host on the Internet.",
		},
	},
}, DefaultUnmaintainedParams, newUnmaintained)

// UnmaintainedParams are the parameters of D33.
type UnmaintainedParams struct {
	OldYears     int `yaml:"old_years"`     // age of a firmware from which it is reported
	VeryOldYears int `yaml:"veryold_years"` // age from which it counts as given up, and age from which a program is reported
	ExpiredDays  int `yaml:"expired_days"`  // for how long a certificate is expired before it is reported
	UptimeDays   int `yaml:"uptime_days"`   // time without a restart, and so without a new firmware
	MaxDevices   int `yaml:"max_devices"`   // devices whose findings are kept
}

// DefaultUnmaintainedParams returns the defaults of D33.
func DefaultUnmaintainedParams() UnmaintainedParams {
	return UnmaintainedParams{OldYears: 3, VeryOldYears: 5, ExpiredDays: 365, UptimeDays: 365, MaxDevices: 50_000}
}

const (
	monthSeconds = 30 * daySeconds
	maxFlaws     = 12 // of one device
)

// unmaintained is D33: nobody seems to keep a device up to date. Its firmware is old, its support has ended, a vulnerability of it is known to
// be exploited, or it offers protocols that were given up long ago. The age is that at the time of the capture. All of one device is one
// finding a month.
type unmaintained struct {
	p       UnmaintainedParams
	devices *table[uint32, monthFindings]
	clocks  *table[uint32, tcpClock]
	recent  [256]struct { // what Products returned, by a hash of the greeting
		greeting string
		products []lifecycle.Product
	} `snapshot:"-"`
}

// monthFindings is what was found on a device in a month.
type monthFindings struct {
	since int64
	flaws []flaw // at most maxFlaws
}

// flaw is one thing that shows that a device is not maintained.
type flaw struct {
	code     string
	subject  string // with code, tells flaws apart
	brief    string // for the title: "its firmware is of 2014-03-01"
	text     string // the same in full
	severity Severity
}

func newUnmaintained(p UnmaintainedParams) *unmaintained {
	return &unmaintained{p: p, devices: newTable[uint32, monthFindings](p.MaxDevices), clocks: newTable[uint32, tcpClock](p.MaxDevices)}
}

func (u *unmaintained) Rule() Rule { return unmaintainedRule.Rule }

func (u *unmaintained) Kinds() []Kind {
	return []Kind{SessionOpened, SessionState, SessionFact, LinkFact}
}

func (u *unmaintained) setParams(p UnmaintainedParams) {
	u.p = p
	u.devices.limit(p.MaxDevices)
	u.clocks.limit(p.MaxDevices)
}

func (u *unmaintained) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{u.devices.part("D33.devices/1", deviceKey, func(c *snapshot.Codec, k *monthFindings) {
		c.Time(&k.since)
		snapshot.List(c, &k.flaws, maxFlaws, func(f *flaw) {
			c.String(&f.code)
			c.String(&f.subject)
			c.String(&f.brief)
			c.String(&f.text)
			snapshot.Enum(c, &f.severity, Critical)
		})
	}), u.clocks.part("D33.clocks/1", deviceKey, func(c *snapshot.Codec, k *tcpClock) { k.walk(c) })}
}

func (u *unmaintained) evictions() uint64 { return u.devices.evicted() + u.clocks.evicted() }

func (u *unmaintained) Tick(now int64, _ *Context) {
	u.devices.expire(now - 2*month)
	u.clocks.expire(now - month)
}

// Observe looks at what a device says of itself. Requests of clients say nothing of servers.
func (u *unmaintained) Observe(e *Event, c *Context) {
	if e.Stack != nil {
		u.stamped(e, c)
	}
	switch f := e.Fact.(type) {
	case *dissect.DeviceInfo:
		d := e.Responder
		if e.Session.Proto != protoTCP && e.FactDir == 0 {
			d = e.Initiator
		}
		if d != nil {
			u.firmware(e, c, d)
			u.uptime(e, c, d, f)
			u.smb(e, c, d, f)
		}
	case *dissect.NeighborMessage:
		if e.Initiator != nil && f.Firmware != "" {
			u.firmware(e, c, e.Initiator)
		}
	case *dissect.SSHBanner:
		if f.Server && e.Responder != nil {
			u.greeting(e, c, f.Line)
			u.ssh(e, c, f.Line)
		}
	case *dissect.Banner:
		if e.Responder != nil {
			u.greeting(e, c, f.Text)
		}
	case *dissect.HTTPExchange:
		if f.Index == 0 && f.Server != "" && e.Responder != nil {
			u.greeting(e, c, f.Server)
		}
	case *dissect.TLSServerHello:
		if e.Responder != nil {
			u.tls(e, c, f)
		}
	case *dissect.TLSCertificate:
		if e.Responder != nil {
			u.certificate(e, c, f)
		}
	}
}

// exposed reports whether an external peer got an answer of the device.
func exposed(d *device.Device) bool {
	for i := range d.Serves {
		if d.Serves[i].External {
			return true
		}
	}
	return false
}

// onDevice is the severity of what is wrong with a device as a whole: high if the Internet reaches it.
func onDevice(d *device.Device) Severity {
	if exposed(d) {
		return High
	}
	return Medium
}

// report adds a flaw to those of a device, and reports all of them if it is new in this month.
func (u *unmaintained) report(e *Event, c *Context, d *device.Device, x flaw) {
	k := u.devices.put(d.ID, c.Now)
	if k.since == 0 || c.Now-k.since >= month {
		*k = monthFindings{since: c.Now}
	}
	if len(k.flaws) >= maxFlaws {
		return
	}
	for i := range k.flaws {
		if k.flaws[i].code == x.code && k.flaws[i].subject == x.subject {
			return
		}
	}
	k.flaws = append(k.flaws, x)
	c.Emit(u.finding(e, c, d, k))
}
