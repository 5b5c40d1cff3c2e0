// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"
	"strconv"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
)

var scanBenign = benign("it is a scanner of your own, a monitoring system, or a program that lost its server")

// about makes the finding of a scan: about the source if that is ours, else about the first target of ours.
func (s *scan) about(e *Event, c *Context, target *device.Device) *Finding {
	if e.Initiator != nil {
		f := c.on(s.Rule(), e, session.Out)
		f.Stage = StageDiscovery
		return f
	}
	f := c.on(s.Rule(), e, session.In)
	if target != nil && target != e.Responder {
		f.Device, f.DeviceAddr = target, target.IP()
		f.Entities = entities(f)
	}
	f.Stage, f.Reliability = StageScanned, 0.1
	return f
}

// severity of a scan by d: a device that should be silent, or a camera or printer, has no reason to look around at all.
func (s *scan) severity(d *device.Device, c *Context, usual Severity) Severity {
	if d == nil {
		return Low // from outside: the Internet scans
	}
	x, source := c.Book.Expect(d, c.Now)
	appliance := d.Level >= device.Probable && (d.Role == device.Camera || d.Role == device.NVR || d.Role == device.Printer || d.Role == device.IoT)
	switch {
	case strict(x, source) && x != contract.Normal:
		return High
	case d.Router, d.Role == device.NetworkGear:
		return min(usual, Low)
	case appliance:
		return max(usual, Medium)
	}
	return usual
}

// hostSeverity is high, but a telephone whose way out is cut tries many hosts of its clouds as well: on ports that are not
// those of scanners, failures outside are low.
func (s *scan) hostSeverity(e *Event, f *Finding) Severity {
	if f.Peer.External && !slices.Contains(s.p.AttackPorts, int(e.Session.Responder.Port)) {
		return Low
	}
	return High
}

func (s *scan) hostFinding(e *Event, c *Context, src *scanner) *Finding {
	fails := src.fails
	f := s.about(e, c, fails.target)
	who := s.who(e)
	f.Severity = s.severity(e.Initiator, c, s.hostSeverity(e, f))
	f.Start, f.Count, f.Maintenance = fails.first, fails.take(), s.maintained(e, c)
	f.Key = "hosts"
	if e.Initiator == nil {
		f.Key += " " + f.Peer.IP
	} else {
		f.Peer = nil
	}
	f.Title = fmt.Sprintf("%s looks for hosts on port %d", who, e.Session.Responder.Port)
	f.Message = fmt.Sprintf("Expected of %s: connections to hosts that exist. Seen: since %s its first contacts with %d hosts failed (%s), the last on port %d.",
		who, clock(fails.first), fails.count, listing(fails.peers, 6), e.Session.Responder.Port)
	f.Reasons = []Reason{{Code: "failed_first_contacts", Text: fmt.Sprintf("the sequential test stands at %d failures more than successes", src.walk), Weight: 0.6}, scanBenign}
	f.Evidence = []Evidence{{Kind: "targets", Summary: fmt.Sprintf("%d hosts, e.g. %s", fails.count, listing(fails.peers, 5)),
		Data: map[string]any{"hosts": fails.count, "port": e.Session.Responder.Port, "sample": slices.Clone(fails.peers)}}}
	f.Entities = append(f.Entities, ipEntities(fails.peers)...)
	f.Recommendation = scanAdvice(e.Initiator)
	return f
}

func (s *scan) portFinding(e *Event, c *Context, p *pairFails) *Finding {
	f := s.about(e, c, e.Responder)
	usual := Medium
	if len(p.ports) >= 4*s.p.Ports {
		usual = High
	}
	f.Severity = s.severity(e.Initiator, c, usual)
	f.Start, f.Count, f.Maintenance = p.first, p.take(), s.maintained(e, c)
	f.Key = "ports " + f.Peer.IP
	if e.Initiator != nil {
		f.Peer.Port = 0 // it is about many ports, not about the last
	}
	f.Session, f.App = nil, nil
	ports := make([]string, len(p.ports))
	numbers := make([]int, len(p.ports))
	for i, x := range p.ports {
		ports[i], numbers[i] = strconv.Itoa(int(x.port)), int(x.port)
	}
	target := addr(&e.Session.Responder, e.Session.V6).String()
	f.Title = fmt.Sprintf("%s tries the ports of %s", s.who(e), target)
	f.Message = fmt.Sprintf("Expected of %s: connections to services that exist. Seen: %d failed attempts on %s since %s, on the ports %s.",
		s.who(e), p.count, target, clock(p.first), listing(ports, 12))
	f.Reasons = []Reason{{Code: "failed_ports", Text: fmt.Sprintf("%d distinct ports of one host failed within %d s", len(p.ports), s.p.WindowSeconds), Weight: 0.6}, scanBenign}
	f.Evidence = []Evidence{{Kind: "ports", Summary: listing(ports, 20), Data: map[string]any{"ports": numbers}}}
	f.Recommendation = scanAdvice(e.Initiator)
	return f
}

func (s *scan) pingFinding(e *Event, c *Context, w *sweep) *Finding {
	f := s.about(e, c, e.Responder)
	f.Severity = s.severity(e.Initiator, c, Medium)
	f.Start, f.Count, f.Maintenance = w.first, w.take(), s.maintained(e, c)
	f.Key = "echo"
	if e.Initiator == nil {
		f.Key += " " + f.Peer.IP
	} else {
		f.Peer = nil
	}
	f.Title = fmt.Sprintf("%s sends echo requests to many hosts", s.who(e))
	f.Message = fmt.Sprintf("Expected of %s: echo requests to few hosts. Seen: since %s it sent %d, %d distinct hosts within %d s (%s).",
		s.who(e), clock(w.first), w.count, len(w.seen), s.p.PingSeconds, listing(w.peers, 6))
	f.Reasons = []Reason{{Code: "echo_sweep", Text: fmt.Sprintf("%d hosts within %d s", len(w.seen), s.p.PingSeconds), Weight: 0.5}, scanBenign}
	f.Evidence = []Evidence{{Kind: "targets", Summary: listing(w.peers, 10), Data: map[string]any{"hosts": len(w.seen), "requests": w.count}}}
	f.Entities = append(f.Entities, ipEntities(w.peers)...)
	f.Recommendation = scanAdvice(e.Initiator)
	return f
}

func (s *scan) arpFinding(e *Event, c *Context, d *device.Device, m *dissect.ARPMessage, w *sweep) *Finding {
	f := &Finding{Rule: s.Rule(), Device: d, DeviceAddr: m.SenderIP, Start: w.first, End: e.Time, Key: "arp", WindowS: daySeconds,
		Stage: StageDiscovery, Severity: s.severity(d, c, Medium), Count: w.take(), Maintenance: c.Book.Maintenance(d, c.Now)}
	f.Entities = append(entities(f), ipEntities(w.peers)...)
	who := f.Who()
	f.Title = fmt.Sprintf("%s asks for the hardware addresses of a whole network", who)
	f.Message = fmt.Sprintf("Expected of %s: ARP requests for the hosts that it talks to. Seen: since %s it sent %d requests, for %d distinct addresses within %d s (%s).",
		who, clock(w.first), w.count, len(w.seen), s.p.ARPSeconds, listing(w.peers, 6))
	f.Reasons = []Reason{{Code: "arp_sweep", Text: fmt.Sprintf("%d addresses within %d s", len(w.seen), s.p.ARPSeconds), Weight: 0.5},
		benign("it is a router, or an address management or discovery tool")}
	f.Evidence = []Evidence{{Kind: "targets", Summary: listing(w.peers, 10), Data: map[string]any{"addresses": len(w.seen), "requests": w.count}}}
	f.Recommendation = scanAdvice(d)
	return f
}

func (s *scan) who(e *Event) string {
	if e.Initiator != nil {
		return e.who(session.Out)
	}
	return "outside host " + addr(&e.Session.Initiator, e.Session.V6).String()
}

func (s *scan) maintained(e *Event, c *Context) bool {
	return e.Initiator != nil && c.Book.Maintenance(e.Initiator, c.Now)
}

func scanAdvice(d *device.Device) string {
	if d == nil {
		return "None, unless one of the targets answers. Block the source if it goes on."
	}
	return "Find the program that does this, and who started it. A device that looks around is often one that was entered before: look at its earlier logins."
}
