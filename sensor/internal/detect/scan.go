// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(scanRule)

// scanRule registers D13.
var scanRule = register(registration{
	Rule: Rule{
		ID: "D13", Name: "Scan", Kind: "scan", Version: 1, Reliability: 0.9,
		Attack: join(
			enterprise(taDiscovery, "T1046", "T1018"),
			enterprise(taReconnaissance, "T1595.001"),
			ics(icsDiscovery, "T0846", "T0840"),
		),
	},
	titleOrder: 3,
	advice: map[string]steps{
		"": {
			"Ask whether somebody runs a scanner or a monitoring tool there.",
			"{inspect}",
			"If nobody does: {then contain} Then look for an earlier login to the device.",
		},
		"outside": {
			"Take no action while no target answers.",
			"Block the source at the firewall if it continues.",
			"Look for a successful login from this source.",
		},
	},
}, DefaultScanParams, newScan)

// ScanParams are the parameters of D13.
type ScanParams struct {
	WalkFailures  int   `yaml:"walk_failures"`  // first contacts that failed, less those that succeeded: the sequential test with θ 0.8 and 0.2
	Hosts         int   `yaml:"hosts"`          // distinct hosts that failed within the window; or twice as many within an hour
	WindowSeconds int   `yaml:"window_seconds"` // the window
	SilentHosts   int   `yaml:"silent_hosts"`   // the same for a device that should be silent
	OutsideHosts  int   `yaml:"outside_hosts"`  // devices that an external source failed on within an hour
	Ports         int   `yaml:"ports"`          // distinct ports of one host that failed within the window
	ARPTargets    int   `yaml:"arp_targets"`    // distinct addresses asked for by ARP
	ARPSeconds    int   `yaml:"arp_seconds"`    // time within which they count
	PingTargets   int   `yaml:"ping_targets"`   // distinct hosts that were sent an echo request
	PingSeconds   int   `yaml:"ping_seconds"`   // time within which they count
	AttackPorts   []int `yaml:"attack_ports"`   // ports that only scanners try on many external hosts
	CameraPorts   []int `yaml:"camera_ports"`   // ports on which a recorder or platform may look for cameras
	MaxSources    int   `yaml:"max_sources"`    // sources followed
	MaxPairs      int   `yaml:"max_pairs"`      // pairs of source and host followed
}

// DefaultScanParams returns the defaults of D13.
func DefaultScanParams() ScanParams {
	return ScanParams{WalkFailures: 4, Hosts: 10, WindowSeconds: 300, SilentHosts: 4, OutsideHosts: 5, Ports: 8, ARPTargets: 10, ARPSeconds: 10,
		PingTargets: 5, PingSeconds: 60, AttackPorts: []int{21, 22, 23, 2323, 135, 139, 445, 1433, 3306, 3389, 5555, 5900, 6379, 7547, 8291, 37215, 37777, 52869},
		CameraPorts: []int{80, 443, 554, 8000, 8080, 8899, 34567, 37777}, MaxSources: 50_000, MaxPairs: 200_000}
}

// Bounds of the state of one source or one pair.
const (
	maxScanTimes = 64
	maxScanPorts = 64
)

// scan is D13: a source looks for hosts or ports. Connections count by their outcome, as a threshold random walk over first contacts
// (Jung et al., 2004). ARP and echo requests count by their number.
type scan struct {
	p       ScanParams
	sources *table[packet.Addr, scanner]
	pairs   *table[scanPair, scanned]
	arps    *table[packet.MAC, sweep]
	pings   *table[packet.Addr, sweep]
}

type scanPair struct{ from, to packet.Addr }

// scanner is the state of one source: its random walk, and what failed. Most sources never fail.
type scanner struct {
	walk  int
	fails *sourceFails
}

// sourceFails holds the times at which distinct hosts failed a source.
type sourceFails struct {
	counter
	times  []int64
	ports  []uint16       // distinct, at most maxScanPorts, in the order of arrival
	target *device.Device // the first device among the targets, for external sources
}

// scanned is the state of one source and one host.
type scanned struct {
	known bool // the first contact was counted
	fails *pairFails
}

type pairFails struct {
	counter
	last  int64 // 0: none
	ports []portFail
}

type portFail struct {
	port uint16
	at   int64
}

func newScan(p ScanParams) *scan {
	return &scan{p: p, sources: newTable[packet.Addr, scanner](p.MaxSources), pairs: newTable[scanPair, scanned](p.MaxPairs),
		arps: newTable[packet.MAC, sweep](p.MaxSources), pings: newTable[packet.Addr, sweep](p.MaxSources)}
}

func (s *scan) Rule() Rule { return scanRule.Rule }

func (s *scan) Kinds() []Kind { return []Kind{SessionOpened, SessionState, SessionEnded, LinkFact} }

func (s *scan) setParams(p ScanParams) {
	s.p = p
	s.sources.limit(p.MaxSources)
	s.pairs.limit(p.MaxPairs)
	s.arps.limit(p.MaxSources)
	s.pings.limit(p.MaxSources)
}

func (s *scan) parts(r *device.Registry) []snapshot.Part {
	return []snapshot.Part{
		s.sources.part("D13.sources/1", addrKey, func(c *snapshot.Codec, x *scanner) {
			c.Int(&x.walk)
			snapshot.Pointer(c, &x.fails, func(f *sourceFails) {
				f.counter.walk(c)
				times(c, &f.times)
				snapshot.List(c, &f.ports, maxScanPorts, func(p *uint16) { snapshot.Number(c, p) })
				r.Ref(c, &f.target)
			})
		}),
		s.pairs.part("D13.pairs/1", func(c *snapshot.Codec, k *scanPair) {
			addrKey(c, &k.from)
			addrKey(c, &k.to)
		}, func(c *snapshot.Codec, x *scanned) {
			c.Bool(&x.known)
			snapshot.Pointer(c, &x.fails, func(f *pairFails) {
				f.counter.walk(c)
				c.Time(&f.last)
				snapshot.List(c, &f.ports, maxScanPorts, func(p *portFail) {
					snapshot.Number(c, &p.port)
					c.Time(&p.at)
				})
			})
		}),
		s.arps.part("D13.arps/1", func(c *snapshot.Codec, m *packet.MAC) { c.Raw(m[:]) }, walkSweep),
		s.pings.part("D13.pings/1", addrKey, walkSweep),
	}
}

func (s *scan) evictions() uint64 {
	return s.sources.evicted() + s.pairs.evicted() + s.arps.evicted() + s.pings.evicted()
}

func (s *scan) Tick(now int64, c *Context) {
	s.sources.expire(now - day)
	s.pairs.expire(now - 2*hour)
	s.arps.expire(now - day)
	s.pings.expire(now - day)
}

func (s *scan) Observe(e *Event, c *Context) {
	switch e.Kind {
	case SessionOpened:
		s.ping(e, c)
	case SessionState, SessionEnded:
		s.outcome(e, c)
	case LinkFact:
		if f, ok := e.Fact.(*dissect.ARPMessage); ok {
			s.arp(e, c, f)
		}
	}
}

// outcome counts how a connection attempt ended.
func (s *scan) outcome(e *Event, c *Context) {
	v := e.Session
	if v.Proto != protoTCP || !unicast(v) {
		return
	}
	switch {
	case v.Basis != session.BasisSYN || !v.Opened():
		if c.failed(e) && probe(e) {
			s.failed(e, c)
		}
	case e.Kind == SessionState && v.State == session.Established:
		s.succeeded(e, c)
	case c.failed(e):
		s.failed(e, c)
	}
}

// probe reports whether a failed session without a SYN was a single segment sent to see the reaction: a SYN-ACK, ACK, FIN or null
// scan. What looks like the answer of a server is not a probe, so backscatter (answers to SYNs with a forged source) makes nobody a
// scanner. Segments of a device to a well-known port are not counted: after a pause of the device its servers have closed the
// sessions.
func probe(e *Event) bool {
	v := e.Session
	return v.PayloadBytes == [2]uint64{} && v.Packets[session.Out] <= 2 && !session.AnswerPorts(v.Initiator.Port, v.Responder.Port) &&
		(e.Initiator == nil || v.Basis == session.BasisFirstPacket)
}

func (s *scan) succeeded(e *Event, c *Context) {
	p := s.pairs.put(scanPair{e.Session.Initiator.Addr, e.Session.Responder.Addr}, c.Now)
	if p.known {
		return
	}
	p.known = true
	src := s.sources.put(e.Session.Initiator.Addr, c.Now)
	src.walk = max(src.walk-1, -s.p.WalkFailures)
}

func (s *scan) failed(e *Event, c *Context) {
	if e.Initiator != nil && s.isExplained(e, c) {
		return
	}
	v := e.Session
	window := int64(s.p.WindowSeconds) * second
	p := s.pairs.put(scanPair{v.Initiator.Addr, v.Responder.Addr}, c.Now)
	src := s.sources.put(v.Initiator.Addr, c.Now)
	if !p.known {
		p.known = true
		src.walk = min(src.walk+1, 4*s.p.WalkFailures)
	}
	if p.fails == nil {
		p.fails = &pairFails{}
	}
	if src.fails == nil {
		src.fails = &sourceFails{}
	}
	host, hosts := p.fails, src.fails
	if host.last == 0 || v.Start-host.last > window {
		if hosts.begin(v.Start, hour) {
			hosts.ports = nil
		}
		hosts.ports = addDistinct(hosts.ports, v.Responder.Port, maxScanPorts)
		hosts.times = insertTime(hosts.times, v.Start, hour, maxScanTimes)
		hosts.addPeer(v.Start, addr(&v.Responder, v.V6))
	}
	host.last = max(host.last, v.Start)
	if hosts.target == nil {
		hosts.target = e.Responder
	}
	if s.vertical(e, host, window) && grown(&host.counter) {
		c.Emit(s.portFinding(e, c, host))
	}
	if s.horizontal(e, c, src, window) && grown(&hosts.counter) {
		c.Emit(s.hostFinding(e, c, src))
	}
}

// isExplained reports whether the contract or the role of the source explains a failed attempt, or whether it went to a name that was
// looked up: scanners try addresses.
func (s *scan) isExplained(e *Event, c *Context) bool {
	d := e.Initiator
	if c.ResponderName(e) != "" {
		return true
	}
	if d.Role == device.NVR || d.Role == device.VMS {
		if slices.Contains(s.p.CameraPorts, int(e.Session.Responder.Port)) {
			return true
		}
	}
	v := c.verdict(e)
	return v.Infrastructure || v.Entry != ""
}

// vertical records a failed port and reports whether enough distinct ports failed within the window.
func (s *scan) vertical(e *Event, p *pairFails, window int64) bool {
	v := e.Session
	port := v.Responder.Port
	p.ports = slices.DeleteFunc(p.ports, func(x portFail) bool { return x.port == port || x.at < v.Start-window })
	if len(p.ports) >= maxScanPorts {
		p.ports = slices.Delete(p.ports, 0, 1)
	}
	p.ports = append(p.ports, portFail{port, v.Start})
	p.begin(v.Start, window)
	p.add(v.Start)
	return len(p.ports) >= s.p.Ports
}

// horizontal applies the random walk and the limits on hosts. The limits are lower for devices that should do less.
func (s *scan) horizontal(e *Event, c *Context, src *scanner, window int64) bool {
	times := src.fails.times
	if src.walk < s.p.WalkFailures || len(times) == 0 {
		return false
	}
	newest := times[len(times)-1]
	recent := since(times, newest-window)
	if e.Initiator == nil {
		return since(times, newest-hour) >= s.p.OutsideHosts
	}
	if x, source := c.Contracts.Expect(e.Initiator, c.Now); strict(x, source) && x >= contract.ServerOnly {
		return recent >= s.p.SilentHosts
	}
	return recent >= s.p.Hosts || since(times, newest-hour) >= 2*s.p.Hosts
}

// sweep is the recent requests of one source to distinct targets.
type sweep struct {
	counter
	seen []sweptTarget
}

type sweptTarget struct {
	to packet.Addr
	at int64
}

// note adds a request and reports whether at least need distinct targets were requested within the window.
func (w *sweep) note(peer netip.Addr, at, window int64, need int) bool {
	to := packet.AddrOf(peer)
	w.seen = slices.DeleteFunc(w.seen, func(x sweptTarget) bool { return x.to == to || x.at < at-window })
	if len(w.seen) >= max(need, maxScanTimes) {
		w.seen = slices.Delete(w.seen, 0, 1)
	}
	w.seen = append(w.seen, sweptTarget{to, at})
	w.begin(at, window)
	w.addPeer(at, peer)
	return len(w.seen) >= need && grown(&w.counter)
}

func (s *scan) ping(e *Event, c *Context) {
	v := e.Session
	echo := v.Proto == protoICMP && v.ICMPType == 8 || v.Proto == protoICMP6 && v.ICMPType == 128
	if !echo || v.Basis != session.BasisRequest {
		return
	}
	w := s.pings.put(v.Initiator.Addr, c.Now)
	if !w.note(addr(&v.Responder, v.V6), v.Start, int64(s.p.PingSeconds)*second, s.p.PingTargets) {
		return
	}
	if e.Initiator == nil && e.Responder == nil {
		return
	}
	c.Emit(s.pingFinding(e, c, w))
}

// arp counts the addresses that a host requests. A host that announces itself or checks whether an address is free requests its own.
func (s *scan) arp(e *Event, c *Context, f *dissect.ARPMessage) {
	if !f.Request || f.Gratuitous || f.Probe || !f.TargetIP.IsValid() {
		return
	}
	w := s.arps.put(f.SenderMAC, c.Now)
	if !w.note(f.TargetIP, e.Time, int64(s.p.ARPSeconds)*second, s.p.ARPTargets) {
		return
	}
	d := e.Initiator
	if d == nil {
		d = c.Devices.ByMAC(f.SenderMAC)
	}
	if d == nil {
		d = c.Devices.ByIP(f.SenderIP)
	}
	if d != nil {
		c.Emit(s.arpFinding(e, c, d, f, w))
	}
}

func walkSweep(c *snapshot.Codec, w *sweep) {
	w.counter.walk(c)
	snapshot.List(c, &w.seen, maxKept, func(x *sweptTarget) {
		addrKey(c, &x.to)
		c.Time(&x.at)
	})
}
