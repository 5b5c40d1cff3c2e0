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

var scanBenign = benign("it is your own scanner, a monitoring system, or a program whose server is gone")

// about returns the finding of a scan: about the source if it is a device, else about the first device among the targets.
func (s *scan) about(e *Event, c *Context, target *device.Device) *Finding {
	if e.Initiator != nil {
		f := c.sessionFinding(s.Rule(), e, session.Out)
		f.Stage = StageDiscovery
		return f
	}
	f := c.sessionFinding(s.Rule(), e, session.In)
	if target != nil && target != e.Responder {
		f.Device, f.DeviceAddr = target, target.IP()
		f.Entities = entities(f)
	}
	f.Stage, f.Reliability = StageScanned, 0.1
	return f
}

// severity is higher for a device that should be silent, and for a camera or printer, which have no reason to scan at all.
func (s *scan) severity(d *device.Device, c *Context, usual Severity) Severity {
	if d == nil {
		return Low // external: the Internet scans all the time
	}
	x, source := c.Contracts.Expect(d, c.Now)
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

// hostSeverity is high, but a phone without a way out tries many hosts of its cloud services as well: failures on external hosts are
// low unless the port is one that scanners use.
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
	f.Start, f.Total, f.Count, f.Maintenance = fails.first, fails.count, fails.take(), s.maintained(e, c)
	f.Peers, f.Brief = slices.Clone(fails.peers), "scans "+listed(fails.peers, "host", "hosts")
	f.Key = "hosts"
	if e.Initiator == nil {
		f.Key += " " + f.Peer.IP
	} else {
		f.Peer = nil
	}
	on := plural(len(fails.ports), "port", "ports") + " " + listing(portTexts(fails.ports), 3)
	hosts := listed(fails.peers, "host", "hosts")
	f.Title = headline("%s scans for hosts on %s", who, name{on, on})
	f.Message = fmt.Sprintf("Expected: %s connects to hosts that accept it. Seen: since %s at least %s to %s failed (%s), on %s.",
		who.full, clock(fails.first), Plural(fails.count, "connection attempt", "connection attempts"), hosts, listing(fails.peers, 6), on)
	f.Reasons = []Reason{{Code: "failed_first_contacts", Text: fmt.Sprintf("among first contacts, %d more failed than succeeded (at most %d count)", src.walk, 4*s.p.WalkFailures), Weight: 0.6}, scanBenign}
	f.Evidence = []Evidence{{Kind: "targets", Summary: hosts + ": " + listing(fails.peers, 5),
		Data: map[string]any{"hosts": len(fails.peers), "attempts": fails.count, "port": e.Session.Responder.Port, "sample": slices.Clone(fails.peers)}}}
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
	f.Start, f.Total, f.Count, f.Maintenance = p.first, p.count, p.take(), s.maintained(e, c)
	f.Brief = "scans the ports of " + f.Peer.IP
	f.Key = "ports " + f.Peer.IP
	if e.Initiator != nil {
		f.Peer.Port = 0 // it is about many ports, not about the last
	}
	f.Session, f.App = nil, nil
	list := make([]uint16, len(p.ports))
	for i, x := range p.ports {
		list[i] = x.port
	}
	ports := portTexts(list)
	who := s.who(e)
	target := addr(&e.Session.Responder, e.Session.V6).String()
	f.Title = headline("%s scans the ports of %s", who, name{target, target})
	f.Message = fmt.Sprintf("Expected: %s connects to services that exist. Seen: since %s %s to %s, on ports %s.",
		who.full, clock(p.first), Plural(p.count, "failed connection attempt", "failed connection attempts"), target, listing(ports, 12))
	f.Reasons = []Reason{{Code: "failed_ports", Text: fmt.Sprintf("%d ports of one host failed within %d s", len(p.ports), s.p.WindowSeconds), Weight: 0.6}, scanBenign}
	f.Evidence = []Evidence{{Kind: "ports", Summary: listing(ports, 20), Data: map[string]any{"ports": list}}}
	f.Recommendation = scanAdvice(e.Initiator)
	return f
}

func (s *scan) pingFinding(e *Event, c *Context, w *sweep) *Finding {
	f := s.about(e, c, e.Responder)
	f.Severity = s.severity(e.Initiator, c, Medium)
	f.Start, f.Total, f.Count, f.Maintenance = w.first, w.count, w.take(), s.maintained(e, c)
	f.Peers, f.Brief = slices.Clone(w.peers), "pings "+listed(w.peers, "host", "hosts")
	f.Key = "echo"
	if e.Initiator == nil {
		f.Key += " " + f.Peer.IP
	} else {
		f.Peer = nil
	}
	who := s.who(e)
	f.Title = headline("%s pings many hosts", who)
	f.Message = fmt.Sprintf("Expected: %s pings few hosts. Seen: since %s it sent %s to %s (%s).",
		who.full, clock(w.first), Plural(w.count, "echo request", "echo requests"), listed(w.peers, "host", "hosts"), listing(w.peers, 6))
	f.Reasons = []Reason{{Code: "echo_sweep", Text: fmt.Sprintf("%s within %d s", Plural(len(w.seen), "host", "hosts"), s.p.PingSeconds), Weight: 0.5}, scanBenign}
	f.Evidence = []Evidence{{Kind: "targets", Summary: listing(w.peers, 10), Data: map[string]any{"hosts": len(w.seen), "requests": w.count}}}
	f.Entities = append(f.Entities, ipEntities(w.peers)...)
	f.Recommendation = scanAdvice(e.Initiator)
	return f
}

func (s *scan) arpFinding(e *Event, c *Context, d *device.Device, m *dissect.ARPMessage, w *sweep) *Finding {
	f := &Finding{Rule: s.Rule(), Device: d, DeviceAddr: m.SenderIP, Start: w.first, End: e.Time, Key: "arp", WindowS: daySeconds,
		Stage: StageDiscovery, Severity: s.severity(d, c, Medium), Total: w.count, Count: w.take(), Brief: "scans " + listed(w.peers, "address", "addresses"), Peers: slices.Clone(w.peers), Maintenance: c.Contracts.Maintenance(d, c.Now)}
	f.Entities = append(entities(f), ipEntities(w.peers)...)
	who := f.self()
	f.Title = headline("%s scans its network by ARP", who)
	f.Message = fmt.Sprintf("Expected: %s sends ARP requests for the hosts that it talks to. Seen: since %s it sent %s for %s (%s).",
		who.full, clock(w.first), Plural(w.count, "request", "requests"), listed(w.peers, "address", "addresses"), listing(w.peers, 6))
	f.Reasons = []Reason{{Code: "arp_sweep", Text: fmt.Sprintf("%s within %d s", Plural(len(w.seen), "address", "addresses"), s.p.ARPSeconds), Weight: 0.5},
		benign("it is a router, or an address management or discovery tool")}
	f.Evidence = []Evidence{{Kind: "targets", Summary: listing(w.peers, 10), Data: map[string]any{"addresses": len(w.seen), "requests": w.count}}}
	f.Recommendation = scanAdvice(d)
	return f
}

func (s *scan) who(e *Event) name {
	from := addr(&e.Session.Initiator, e.Session.V6)
	if e.Initiator != nil {
		return label(e.Initiator, from)
	}
	return name{"external host " + from.String(), from.String()}
}

func (s *scan) maintained(e *Event, c *Context) bool {
	return e.Initiator != nil && c.Contracts.Maintenance(e.Initiator, c.Now)
}

// scanAdvice returns the steps for a device that scans, or for a scan from outside if d is nil.
func scanAdvice(d *device.Device) string {
	if d == nil {
		return scanRule.advise("outside", nil)
	}
	return scanRule.advise("", d)
}

func portTexts(ports []uint16) []string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = strconv.Itoa(int(p))
	}
	return out
}

// listed counts peers. A list holds at most maxListed of them.
func listed(peers []string, one, many string) string {
	n := Plural(len(peers), one, many)
	if len(peers) >= maxListed {
		return "at least " + n
	}
	return n
}
