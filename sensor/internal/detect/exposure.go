// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"
	"strconv"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(exposureRule)

// exposureRule registers D07.
var exposureRule = register(registration{
	Rule: Rule{
		ID: "D07", Name: "Exposed admin port", Kind: "exposed_admin_port", Version: 1, Reliability: 0.4,
		Attack: join(enterprise(taInitialAccess, "T1133", "T1190"), ics(icsInitialAccess, "T0883", "T0822")),
	},
	advice: map[string]steps{
		"": {
			"Block the port at the firewall for external hosts.",
			"Change the password if it is a default one, and look for successful logins from outside.",
			"{inspect}",
		},
		"probes": {
			"Take no action while no port answers.",
			"Check at the firewall that these ports are closed on purpose.",
			"Watch for an alert that one of them answers.",
		},
	},
}, DefaultExposureParams, newExposure)

// ExposureParams are the parameters of D07.
type ExposureParams struct {
	Ports      []int `yaml:"ports"`       // admin ports: exposed to the outside on any device
	WebPorts   []int `yaml:"web_ports"`   // ports that are an admin page on a camera or a declared device, and a web site elsewhere
	MaxDevices int   `yaml:"max_devices"` // devices whose scanners are counted
	MaxSources int   `yaml:"max_sources"` // scanners listed per device and day
}

// DefaultExposureParams returns the defaults of D07.
func DefaultExposureParams() ExposureParams {
	return ExposureParams{
		Ports: []int{22, 23, 2323, 3389, 445, 5555, 8291, 554, 8000, 8899, 34567, 37777, 37810, 9000}, WebPorts: []int{80, 443},
		MaxDevices: 50_000, MaxSources: 50,
	}
}

// exposure is D07: an admin port answers external hosts, or is probed by them. All probes of one device are one finding a day, so a
// million probes only raise a counter.
type exposure struct {
	p      ExposureParams
	probed *table[uint32, probes]
}

type probes struct {
	dayStart int64
	count    int
	reported int
	sources  []string // distinct, at most MaxSources, in the order of arrival
	ports    []int    // distinct, at most MaxSources, in the order of arrival
}

func newExposure(p ExposureParams) *exposure {
	return &exposure{p: p, probed: newTable[uint32, probes](p.MaxDevices)}
}

func (x *exposure) Rule() Rule { return exposureRule.Rule }

func (x *exposure) Kinds() []Kind { return []Kind{SessionState, SessionEnded} }

func (x *exposure) setParams(p ExposureParams) {
	x.p = p
	x.probed.limit(p.MaxDevices)
}

func (x *exposure) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{x.probed.part("D07.probed/1", deviceKey, func(c *snapshot.Codec, p *probes) {
		c.Time(&p.dayStart)
		c.Int(&p.count)
		c.Int(&p.reported)
		texts(c, &p.sources)
		numbers(c, &p.ports)
	})}
}

func (x *exposure) evictions() uint64 { return x.probed.evicted() }

func (x *exposure) Tick(now int64, c *Context) { x.probed.expire(now - 2*day) }

func (x *exposure) Observe(e *Event, c *Context) {
	if e.Responder == nil || e.Session.Proto != protoTCP {
		return
	}
	v := e.Session
	if !v.Opened() || !c.external(e.Initiator, addr(&v.Initiator, v.V6)) {
		return
	}
	port := int(v.Responder.Port)
	web := slices.Contains(x.p.WebPorts, port)
	if !web && !slices.Contains(x.p.Ports, port) || !unicast(v) {
		return
	}
	switch {
	case e.Kind == SessionState && v.State == session.Established:
		x.exposed(e, c, web)
	case e.Kind == SessionState && v.State == session.Rejected, e.Kind == SessionEnded && v.State == session.Attempted:
		x.probe(e, c)
	}
}

func (x *exposure) exposed(e *Event, c *Context, web bool) {
	verdict := c.inbound(e)
	if verdict.Entry != "" || verdict.Infrastructure {
		return
	}
	d := e.Responder
	f := c.sessionFinding(x.Rule(), e, session.In)
	f.Key, f.WindowS, f.Standing, f.Stage = service(&Event{Session: e.Session}), weekSeconds, true, StageScanned
	f.Severity = x.severity(d, c, web)
	who := f.self()
	f.Title = headline("%s answers external hosts on %s", who, name{f.Key, f.Key})
	f.Message = fmt.Sprintf("Expected: no admin port of %s can be reached from outside. Seen: at %s external host %s completed a TCP handshake on %s.",
		who.full, clock(e.Session.Start), f.Peer.IP, f.Key)
	f.Reasons = []Reason{{Code: "handshake", Text: "the port answered a peer outside the network", Weight: 0.4},
		benign("the source is an approved gateway, or the port is published on purpose; then add it to the inventory (direction in)")}
	f.Recommendation = exposureRule.advise("", f.Device)
	c.Emit(f)
}

// severity is high where exposure is certainly unintended: on a camera, a recorder, or a device that should be silent or is in the
// inventory. A web page of another device may be published on purpose.
func (x *exposure) severity(d *device.Device, c *Context, web bool) Severity {
	expect, source := c.Contracts.Expect(d, c.Now)
	role := d.Level >= device.Probable && (d.Role == device.Camera || d.Role == device.NVR || d.Role == device.VMS)
	switch {
	case expect != contract.Normal && strict(expect, source), role, c.Contracts.Entry(d) != nil:
		return High
	case web:
		return Low
	}
	return Medium
}

func (x *exposure) probe(e *Event, c *Context) {
	d := e.Responder
	s := x.probed.put(d.ID, c.Now)
	if s.count == 0 || c.Now-s.dayStart >= day {
		*s = probes{dayStart: c.Now}
	}
	s.count++
	src := addr(&e.Session.Initiator, e.Session.V6).String()
	if len(s.sources) < x.p.MaxSources && !slices.Contains(s.sources, src) {
		s.sources = append(s.sources, src)
	}
	if p := int(e.Session.Responder.Port); len(s.ports) < x.p.MaxSources && !slices.Contains(s.ports, p) {
		s.ports = append(s.ports, p)
	}
	if s.count&(s.count-1) != 0 { // report at 1, 2, 4, 8 …
		return
	}
	c.Emit(x.probesFinding(e, c, s))
	s.reported = s.count
}

func (x *exposure) probesFinding(e *Event, c *Context, s *probes) *Finding {
	f := c.sessionFinding(x.Rule(), e, session.In)
	f.Key, f.Severity, f.Stage, f.Count, f.Start = "probes", Informational, StageScanned, s.count-s.reported, min(s.dayStart, e.Session.Start)
	f.Reliability = 0.1
	ports := make([]string, len(s.ports))
	for i, p := range s.ports {
		ports[i] = strconv.Itoa(p)
	}
	who, atLeast := f.self(), ""
	if len(s.sources) >= x.p.MaxSources {
		atLeast = "at least "
	}
	probed := Plural(s.count, "failed connection attempt", "failed connection attempts")
	from := atLeast + Plural(len(s.sources), "source", "sources")
	f.Total = s.count
	f.Title = headline("%s is probed from outside on its admin ports", who)
	f.Message = fmt.Sprintf("Expected: hosts on the Internet probe what they can reach. Seen: since %s %s to %s from %s (%s) on %s %s.",
		clock(f.Start), probed, who.full, from, listing(s.sources, 5), plural(len(ports), "port", "ports"), listing(ports, 10))
	f.Reasons = []Reason{{Code: "probes", Text: "failed connection attempts from outside", Weight: 0.1}, benign("none of the ports ever answers")}
	f.Evidence = []Evidence{{Kind: "probes", Summary: probed + " from " + from,
		Data: map[string]any{"sources": slices.Clone(s.sources), "ports": slices.Clone(s.ports)}}}
	for _, src := range s.sources {
		f.Entities = append(f.Entities, "ip:"+src)
	}
	f.Recommendation = exposureRule.advise("probes", f.Device)
	return f
}
