// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(loginRule)

// loginRule registers D08.
var loginRule = register(registration{
	Rule: Rule{
		ID: "D08", Name: "Login success", Kind: "login_success", Version: 1, Reliability: 0.97,
		Attack: join(
			enterprise(taInitialAccess, "T1078"),
			enterprise(taLateral, "T1021.001", "T1021.002", "T1021.004"),
			ics(icsLateral, "T0886", "T0859"),
		),
	},
	advice: map[string]steps{
		"": {
			"Ask the administrators whether this login is theirs.",
			"If not: {then contain}",
			"Change the password that was used, and check every session that the device opened after the login.",
		},
	},
}, DefaultLoginParams, newLoginSuccess)

// LoginParams are the parameters of D08.
type LoginParams struct {
	LearnHours          int     `yaml:"learn_hours"`          // how long a device is watched before an internal login host counts as never seen
	InferredReliability float64 `yaml:"inferred_reliability"` // of results that are inferred from packet sizes
	MaxHosts            int     `yaml:"max_hosts"`            // login hosts kept per device
	MaxDevices          int     `yaml:"max_devices"`          // devices whose login hosts are kept
}

// DefaultLoginParams returns the defaults of D08.
func DefaultLoginParams() LoginParams {
	return LoginParams{LearnHours: 24, InferredReliability: 0.7, MaxHosts: 32, MaxDevices: 100_000}
}

// loginSuccess is D08: an external host, or an internal one that never did before, has logged in.
type loginSuccess struct {
	p        LoginParams
	hosts    *table[uint32, loginHosts] // by device
	reported *table[uint64, struct{}]   `snapshot:"-"` // sessions
	start    int64                      // first event of the run
}

type loginHosts struct{ addrs []netip.Addr }

func newLoginSuccess(p LoginParams) *loginSuccess {
	return &loginSuccess{p: p, hosts: newTable[uint32, loginHosts](p.MaxDevices), reported: newTable[uint64, struct{}](p.MaxDevices)}
}

func (l *loginSuccess) Rule() Rule { return loginRule.Rule }

func (l *loginSuccess) Kinds() []Kind { return []Kind{SessionOpened, SessionFact, LinkFact} }

func (l *loginSuccess) setParams(p LoginParams) {
	l.p = p
	l.hosts.limit(p.MaxDevices)
	l.reported.limit(p.MaxDevices)
}

func (l *loginSuccess) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{
		l.hosts.part("D08.hosts/1", deviceKey, func(c *snapshot.Codec, h *loginHosts) {
			snapshot.List(c, &h.addrs, maxKept, func(a *netip.Addr) { c.Addr(a) })
		}),
		snapshot.Single("D08/1", func(c *snapshot.Codec) { c.Time(&l.start) }),
	}
}

func (l *loginSuccess) evictions() uint64 { return l.hosts.evicted() + l.reported.evicted() }

func (l *loginSuccess) Tick(now int64, c *Context) {}

func (l *loginSuccess) Observe(e *Event, c *Context) {
	if l.start == 0 {
		l.start = e.Time
	}
	if e.Kind != SessionFact || e.Responder == nil {
		return
	}
	in, ok := loginOf(e.Fact)
	if !ok || in.result != dissect.OutcomeSuccess || l.reported.get(e.Session.ID, c.Now) != nil {
		return
	}
	// An inference from packet sizes needs both directions, without a gap.
	if in.inferred && (e.Session.Gap || c.Quality.OneWay) {
		return
	}
	l.reported.put(e.Session.ID, c.Now)
	from := addr(&e.Session.Initiator, e.Session.V6)
	external := c.external(e.Initiator, from)
	if v := c.inbound(e); v.Exempts(l.Rule().ID, external && c.critical(e)) {
		return
	}
	if !external && !l.neverSeen(e, c, from, in) {
		return
	}
	c.Emit(l.finding(e, c, in, external))
}

// neverSeen reports whether an internal host logs in for the first time. Without a list of admin hosts everything is new in a short
// capture, so the device and the network must have been watched for a while. Recorders and platforms log in to cameras on their own
// and are on no list of admin hosts: they are learned as well.
func (l *loginSuccess) neverSeen(e *Event, c *Context, from netip.Addr, in login) bool {
	h := l.hosts.put(e.Responder.ID, c.Now)
	known := slices.Contains(h.addrs, from)
	h.addrs = addDistinct(h.addrs, from, l.p.MaxHosts)
	admin, listed := c.Contracts.AdminHost(from)
	if admin || known {
		return false
	}
	machine := byMachine(in.protocol) || in.protocol == "smb" /* a PC mounts its shares on its own */ || e.Initiator != nil && (e.Initiator.Role == device.NVR || e.Initiator.Role == device.VMS)
	if listed && !machine {
		return true
	}
	learn := int64(l.p.LearnHours) * hour
	return c.Now-e.Responder.FirstSeen >= learn && c.Now-l.start >= learn
}

// byMachine reports whether logins by a protocol are usually made by machines: players, pollers, publishers, caches.
func byMachine(protocol string) bool {
	switch protocol {
	case "rtsp", "mqtt", "snmp", "redis", "mysql", "postgresql", "dhip", "dvrip", "xmeye", "hcnet", "sip":
		return true
	}
	return false
}

func (l *loginSuccess) finding(e *Event, c *Context, in login, external bool) *Finding {
	f := c.sessionFinding(l.Rule(), e, session.In)
	d := e.Responder
	x, source := c.Contracts.Expect(d, c.Now)
	f.Key = f.Peer.IP + " " + service(&Event{Session: e.Session})
	f.Stage, f.Severity, f.Maintenance = StageLogin, l.severity(d, x, source, in, external), c.Contracts.Maintenance(d, c.Now)
	if in.inferred {
		f.Reliability = l.p.InferredReliability
	}
	f.Peer.FirstContact = true
	f.Start, f.End = c.Now, max(f.End, c.Now) // of the login, not of the session: passwords may have been guessed before
	where := map[bool]string{true: "external", false: "internal, and not seen to log in before"}[external]
	who, from, by := f.self(), f.other(), name{in.protocol, in.protocol}
	f.Brief = "taken over from " + from.brief() + " by " + in.protocol
	f.Title = headline("%s logged in to %s by %s", from, who, by)
	f.Message = fmt.Sprintf("Expected: only administrators log in to %s. Seen: at %s it accepted a login by %s from %s (%s) on %s.",
		who.full, clock(c.Now), in.protocol, from.full, where, service(e))
	f.Reasons = loginReasons(in, external)
	f.Evidence = []Evidence{{Kind: "login", Summary: in.protocol + " login accepted", Data: map[string]any{
		"protocol": in.protocol, "inferred": in.inferred, "default_credentials": in.defaults, "in_clear": in.clear}}}
	f.Recommendation = loginRule.advise("", f.Device)
	return f
}

func loginReasons(in login, external bool) []Reason {
	var rs []Reason
	if in.inferred {
		rs = append(rs, Reason{Code: "inferred", Text: "the result is inferred from the sizes of encrypted packets", Weight: 0.7})
	} else {
		rs = append(rs, Reason{Code: "explicit", Text: "the protocol states the result in clear text", Weight: 0.97})
	}
	if external {
		rs = append(rs, Reason{Code: "external_peer", Text: "the login came from outside the network", Weight: 0.2})
	}
	if in.defaults {
		rs = append(rs, Reason{Code: "default_credentials", Text: "the login used a well-known default name and password", Weight: 0.2})
	}
	return append(rs, benign("it is a jump host, a bastion or a new administrator; then add it to the inventory"))
}

// severity is critical for an external login to a device that should be silent. On a device without an expectation a shell or a file
// transfer is high. A web page with a password may be public on purpose, and an inferred result may be wrong: medium.
func (l *loginSuccess) severity(d *device.Device, x contract.Expect, source string, in login, external bool) Severity {
	video := d.Level >= device.Probable && (d.Role == device.Camera || d.Role == device.NVR || d.Role == device.VMS)
	switch {
	case external && (strict(x, source) || in.defaults):
		return Critical
	case external && (video || d.Declared || in.protocol == "telnet" || in.protocol == "ftp"):
		return High
	case strict(x, source) && x >= contract.ServerOnly:
		return High
	case external, strict(x, source), d.Declared:
		return Medium
	}
	return Low
}
