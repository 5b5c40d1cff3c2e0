// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(tunnelRule)

// tunnelRule registers D12.
var tunnelRule = register(registration{
	Rule: Rule{
		ID: "D12", Name: "Tunnel or proxy", Kind: "tunnel", Version: 1, Reliability: 0.8,
		Attack: join(enterprise(taCommand, "T1090", "T1572"), ics(icsCommand, "T0884")),
	},
	titleOrder: 5,
	advice: map[string]steps{
		"": {
			"Find out whose address the proxy is, and ask the owner of the device whether it should use it.",
			"{inspect}",
			"If nobody expects it: {then contain} If it is expected, add the proxy to the inventory.",
		},
		"carried": {
			"Find out whose address the other end is, and ask the owner of the device whether it should have a tunnel.",
			"{inspect}",
			"If nobody expects it: {then contain} If it is expected, add the other end to the inventory.",
		},
	},
}, DefaultTunnelParams, newTunnel)

// TunnelParams are the parameters of D12.
type TunnelParams struct {
	ExternalOnly bool `yaml:"external_only"` // report only proxies outside the network
	MaxProxies   int  `yaml:"max_proxies"`   // pairs of device and proxy kept
}

// DefaultTunnelParams returns the defaults of D12.
func DefaultTunnelParams() TunnelParams { return TunnelParams{MaxProxies: 50_000} }

// tunnel is D12: a device reaches its peers through a SOCKS proxy, so that the addresses of its sessions say nothing about where they
// go, or through a relay of Tor. Intruders do so to reach a control server, or to relay through devices that they control. SOCKS is recognized
// by its handshake (SOCKS 4; SOCKS 5, RFC 1928) on any port, Tor by its certificates (fingerprint.App.Tor), and tunnels by their headers.
type tunnel struct {
	p       TunnelParams
	proxies *table[proxyUse, counter] // sessions by device and proxy
}

// proxyUse is a device and a proxy that it uses.
type proxyUse struct {
	device uint32
	proxy  packet.Addr
	port   uint16
}

func newTunnel(p TunnelParams) *tunnel {
	return &tunnel{p: p, proxies: newTable[proxyUse, counter](p.MaxProxies)}
}

func (t *tunnel) Rule() Rule { return tunnelRule.Rule }

func (t *tunnel) Kinds() []Kind { return []Kind{SessionOpened, SessionState, SessionFact} }

func (t *tunnel) setParams(p TunnelParams) {
	t.p = p
	t.proxies.limit(p.MaxProxies)
}

func (t *tunnel) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{t.proxies.part("D12.proxies/1", func(c *snapshot.Codec, k *proxyUse) {
		deviceKey(c, &k.device)
		addrKey(c, &k.proxy)
		snapshot.Number(c, &k.port)
	}, walkCounter)}
}

func (t *tunnel) evictions() uint64 { return t.proxies.evicted() }

func (t *tunnel) Tick(now int64, c *Context) { t.proxies.expire(now - 2*day) }

// Observe looks at each session once, when its application or its certificate becomes known, and at sessions inside tunnels when they are
// opened or answered.
func (t *tunnel) Observe(e *Event, c *Context) {
	if e.Kind != SessionFact {
		if len(e.Session.Tunnels) > 0 {
			t.carried(e, c)
		}
		return
	}
	if e.App == nil {
		return
	}
	socks, tor := e.Named && e.App.Name == "socks", false
	if _, cert := e.Fact.(*dissect.TLSCertificate); cert {
		tor = e.App.Tor()
	}
	if !socks && !tor || !Originated(e) {
		return
	}
	proxy := &e.Session.Responder
	if t.p.ExternalOnly && !c.external(e.Responder, addr(proxy, e.Session.V6)) {
		return
	}
	v := c.verdict(e)
	if v.Entry != "" {
		return
	}
	n := t.proxies.put(proxyUse{e.Initiator.ID, proxy.Addr, proxy.Port}, c.Now)
	n.begin(c.Now, day)
	if n.add(e.Session.Start) {
		c.Emit(t.finding(e, c, v, n, tor))
	}
}

func (t *tunnel) finding(e *Event, c *Context, v contract.Verdict, n *counter, tor bool) *Finding {
	f := c.sessionFinding(t.Rule(), e, session.Out)
	x, source := c.Contracts.Expect(e.Initiator, c.Now)
	f.Key = serviceKey(addr(&e.Session.Responder, e.Session.V6), e.Session)
	f.Stage, f.Severity, f.Maintenance = StageOutbound, t.severity(e.Initiator, f.Peer, x, source), v.Maintenance
	f.Start, f.Total, f.Count = n.first, n.count, n.take()
	if !v.Allowed {
		f.Broken = Clean(v.Broken, 300)
	}
	who, proxy, sessions := f.self(), f.Peer.at(), Plural(n.count, "session", "sessions")
	f.Brief = "uses the proxy " + proxy.brief()
	f.Title = headline("%s uses the SOCKS proxy %s", who, proxy)
	f.Message = fmt.Sprintf("Expected: %s connects to its peers without a proxy. Seen: since %s it opened %s through the SOCKS proxy %s on port %d.",
		who.full, clock(n.first), sessions, f.other().full, e.Session.Responder.Port)
	if tor {
		f.Brief = "uses the Tor relay " + proxy.brief()
		f.Title = headline("%s uses the Tor relay %s", who, proxy)
		f.Message = fmt.Sprintf("Expected: %s connects to its peers directly. Seen: since %s it opened %s to the Tor relay %s on port %d.",
			who.full, clock(n.first), sessions, f.other().full, e.Session.Responder.Port)
	}
	f.Reasons = []Reason{{Code: "socks", Text: "the session began with a SOCKS handshake: the proxy hides where it leads", Weight: 0.5}}
	if strict(x, source) {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + x.String(), Text: "expected: the device " + expectation(x, source), Weight: 0.3})
	}
	if f.Peer.External {
		f.Reasons = append(f.Reasons, Reason{Code: "external_peer", Text: "the proxy is outside the network", Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("the device is set up to use this proxy; then add the proxy to the inventory"))
	if tor {
		f.Reasons[0] = Reason{Code: "tor", Text: "the name asked for and both names of the certificate are random, as those of Tor relays are", Weight: 0.5}
	}
	f.Evidence = []Evidence{{Kind: "proxy", Summary: "SOCKS handshake in " + sessions, Data: map[string]any{"protocol": "socks", "sessions": n.count}}}
	if tor {
		f.Evidence[0].Summary, f.Evidence[0].Data["protocol"] = "certificate of a Tor relay in "+sessions, "tor"
	}
	f.Recommendation = tunnelRule.advise("", f.Device)
	return f
}

// severity is high for a device that should open nothing, medium for a camera or another appliance, which has no use for a proxy, and low
// for the rest; it is one step higher if the proxy is outside the network.
func (t *tunnel) severity(d *device.Device, proxy *Peer, x contract.Expect, source string) Severity {
	sev := Low
	switch d.Role {
	case device.Camera, device.NVR, device.VMS, device.Printer, device.IoT:
		if d.Level == device.Identified {
			sev = Medium
		}
	}
	if strict(x, source) {
		sev = High
	}
	if proxy.External {
		sev++
	}
	return sev
}
