// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(encryptedDNSRule)

// encryptedDNSRule registers D21.
var encryptedDNSRule = register(registration{
	Rule: Rule{
		ID: "D21", Name: "Encrypted DNS", Kind: "encrypted_dns", Version: 1, Reliability: 0.5,
		Attack: join(enterprise(taCommand, "T1071.004", "T1572", "T1573.002"), ics(icsCommand, "T0869")),
	},
	titleOrder: 8,
	advice: map[string]steps{
		"": {
			"Find out whether the vendor of the device uses this resolver.",
			"{inspect}",
			"If it does not: {then contain} If it does, allow the resolver in the inventory.",
		},
	},
}, DefaultEncryptedDNSParams, newEncryptedDNS)

// EncryptedDNSParams are the parameters of D21.
type EncryptedDNSParams struct {
	Ports      []int `yaml:"ports"`       // ports of DNS inside TLS, DTLS or QUIC
	MaxServers int   `yaml:"max_servers"` // pairs of device and resolver kept
}

// DefaultEncryptedDNSParams returns the defaults of D21.
func DefaultEncryptedDNSParams() EncryptedDNSParams {
	return EncryptedDNSParams{Ports: []int{853, 8853}, MaxServers: 20_000}
}

// encryptedDNS is D21: a device that opens little asks an external resolver inside TLS, HTTPS or QUIC, where nobody sees which names it
// looks up and what the answers carry. Computers and phones do so by default, and are left out.
type encryptedDNS struct {
	p       EncryptedDNSParams
	servers *table[nameServer, counter] // sessions by device and resolver
}

// nameServer is a device and a resolver: by the name in the hello, else by the address.
type nameServer struct {
	device uint32
	name   string
	addr   packet.Addr
}

func newEncryptedDNS(p EncryptedDNSParams) *encryptedDNS {
	return &encryptedDNS{p: p, servers: newTable[nameServer, counter](p.MaxServers)}
}

func (d *encryptedDNS) Rule() Rule { return encryptedDNSRule.Rule }

func (d *encryptedDNS) Kinds() []Kind { return []Kind{SessionFact} }

func (d *encryptedDNS) setParams(p EncryptedDNSParams) {
	d.p = p
	d.servers.limit(p.MaxServers)
}

func (d *encryptedDNS) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{d.servers.part("D21.servers/1", func(c *snapshot.Codec, k *nameServer) {
		deviceKey(c, &k.device)
		c.String(&k.name)
		addrKey(c, &k.addr)
	}, walkCounter)}
}

func (d *encryptedDNS) evictions() uint64 { return d.servers.evicted() }

func (d *encryptedDNS) Tick(now int64, c *Context) { d.servers.expire(now - 2*day) }

func (d *encryptedDNS) Observe(e *Event, c *Context) {
	h, ok := e.Fact.(*dissect.TLSClientHello)
	if !ok || e.Initiator == nil || isComputer(e.Initiator) {
		return
	}
	kind, why := d.p.kind(e, h)
	if kind == "" || !Originated(e) || !c.callsOut(e) || e.Initiator.Router || resolves(e.Initiator) {
		return
	}
	x, _ := c.Contracts.Expect(e.Initiator, c.Now)
	if x == contract.Normal && !isAppliance(e.Initiator) {
		return
	}
	if known, _ := c.Contracts.Server(contract.DNS, e.Session.Responder.Addr.Netip(), c.TrustedNames(e)); known {
		return
	}
	k := nameServer{device: e.Initiator.ID, name: h.SNI}
	if h.SNI == "" {
		k.addr = e.Session.Responder.Addr
	}
	n := d.servers.put(k, c.Now)
	n.begin(c.Now, day)
	if n.addPeer(e.Session.Start, addr(&e.Session.Responder, e.Session.V6)) {
		if f := d.finding(e, c, n, kind, why); f != nil {
			f.Key = kind + " " + Clean(h.SNI, 200)
			if h.SNI == "" {
				f.Key = kind + " " + f.Peer.IP
			}
			c.Emit(f)
		}
	}
}

// kind returns by which protocol a hello leads to DNS and why: its port, its ALPN (RFC 7858, RFC 9250), or a name on the list of public
// resolvers. kind is "" if it does not.
func (p *EncryptedDNSParams) kind(e *Event, h *dissect.TLSClientHello) (kind, why string) {
	port := int(e.Session.Responder.Port)
	onPort := slices.Contains(p.Ports, port)
	who := ""
	if h.SNI != "" {
		who = enrich.PublicResolvers.Get().Operator(h.SNI)
	}
	switch {
	case slices.Contains(h.ALPN, "doq"), onPort && h.QUIC:
		kind = "DoQ"
	case slices.Contains(h.ALPN, "dot"), onPort:
		kind = "DoT"
	case who != "":
		return "DoH", "its hello names a public resolver of " + Clean(who, 60)
	default:
		return "", ""
	}
	if onPort {
		return kind, fmt.Sprintf("port %d is that of encrypted DNS, and the session begins with a hello", port)
	}
	return kind, "its hello offers DNS (ALPN)"
}

func (d *encryptedDNS) finding(e *Event, c *Context, n *counter, kind, why string) *Finding {
	f, x, source, ok := c.callerFinding(d.Rule(), e)
	if !ok {
		return nil
	}
	f.Stage, f.Severity = StageOutbound, Low
	if x != contract.Normal || isCamera(e.Initiator) {
		f.Severity = Medium
	}
	f.Start, f.Total, f.Count = n.first, n.count, n.take()
	f.Peers = slices.Clone(n.peers)
	f.Entities = append(f.Entities, ipEntities(n.peers)...)
	who, to, sessions := f.self(), f.other(), Plural(n.count, "session", "sessions")
	f.Brief = "sends encrypted DNS to " + to.brief()
	f.Title = headline("%s sends encrypted DNS ("+kind+") to %s", who, to)
	f.Message = fmt.Sprintf("Expected: %s sends unencrypted DNS to the resolvers of the network. Seen: since %s it opened %s of %s with %s; %s.",
		who.full, clock(n.first), sessions, kind, to.full, why)
	f.Reasons = append(f.Reasons, Reason{Code: "encrypted_dns", Text: why, Weight: 0.4})
	if x != contract.Normal {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + x.String(), Text: "expected: the device " + expectation(x, source), Weight: 0.3})
	}
	f.Reasons = append(f.Reasons, benign("the vendor of the device uses encrypted DNS; then allow the resolver in the inventory"))
	f.Evidence = []Evidence{{Kind: "dns", Summary: kind + " in " + sessions, Data: map[string]any{"protocol": kind, "sessions": n.count, "servers": slices.Clone(n.peers)}}}
	f.Recommendation = encryptedDNSRule.advise("", f.Device)
	return f
}

// isCamera reports whether a device is likely a camera or what records cameras.
func isCamera(d *device.Device) bool {
	if d == nil || d.Level < device.Hint {
		return false
	}
	return d.Role == device.Camera || d.Role == device.NVR || d.Role == device.VMS
}
