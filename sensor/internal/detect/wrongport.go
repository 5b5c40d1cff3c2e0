// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(wrongPortRule)

// wrongPortRule registers D22.
var wrongPortRule = register(registration{
	Rule: Rule{
		ID: "D22", Name: "Protocol on the wrong port", Kind: "wrong_port", Version: 1, Reliability: 0.5,
		Attack: join(enterprise(taCommand, "T1571"), enterprise(taEvasion, "T1036"), ics(icsCommand, "T0885")),
	},
	titleOrder: 6,
	advice: map[string]steps{
		"": {
			"Find out whose address the server is, and ask the owner of the device whether it should use it.",
			"{inspect}",
			"If nobody knows the session: {then contain} If it is expected, allow it in the inventory.",
		},
	},
}, DefaultWrongPortParams, newWrongPort)

// WrongPortParams are the parameters of D22.
type WrongPortParams struct {
	Ports      map[string][]int `yaml:"ports"`       // protocols that belong on few ports, with these ports
	Owners     map[int][]string `yaml:"owners"`      // ports that belong to few protocols, with these protocols
	MaxServers int              `yaml:"max_servers"` // pairs of device and server kept
}

// DefaultWrongPortParams returns the defaults of D22.
func DefaultWrongPortParams() WrongPortParams {
	return WrongPortParams{
		Ports: map[string][]int{
			"ssh": {22, 2222}, "telnet": {23, 2323, 9527}, "rdp": {3389}, "vnc": {5800, 5900, 5901, 5902, 5903}, "smb": {139, 445},
			"adb": {5555}, "ftp": {21, 2121},
		},
		Owners: map[int][]string{
			22: {"ssh"}, 23: {"telnet"}, 25: {"smtp", "tls"}, 53: {"dns"}, 123: {"ntp"}, 443: {"tls", "quic", "dtls", "openvpn", "stun"}, 445: {"smb"}, 3389: {"rdp", "tls"},
		},
		MaxServers: 20_000,
	}
}

// otherRules are protocols that other rules report on any port: D48, D12, D24.
var otherRules = []string{"irc", "socks", "stratum"}

// wrongPort is D22: a session carries another protocol than its port promises, so that a firewall that looks at ports lets it pass. The
// protocol is recognized by its bytes.
type wrongPort struct {
	p       WrongPortParams
	servers *table[appServer, counter] // sessions by caller, server and protocol
}

type appServer struct {
	caller
	addr packet.Addr
	port uint16
	app  string
}

func newWrongPort(p WrongPortParams) *wrongPort {
	return &wrongPort{p: p, servers: newTable[appServer, counter](p.MaxServers)}
}

func (w *wrongPort) Rule() Rule { return wrongPortRule.Rule }

func (w *wrongPort) Kinds() []Kind { return []Kind{SessionFact} }

func (w *wrongPort) setParams(p WrongPortParams) {
	w.p = p
	w.servers.limit(p.MaxServers)
}

func (w *wrongPort) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{w.servers.part("D22.servers/1", func(c *snapshot.Codec, k *appServer) {
		k.caller.walk(c)
		addrKey(c, &k.addr)
		snapshot.Number(c, &k.port)
		c.String(&k.app)
	}, walkCounter)}
}

func (w *wrongPort) evictions() uint64 { return w.servers.evicted() }

func (w *wrongPort) Tick(now int64, c *Context) { w.servers.expire(now - 2*day) }

// Observe looks at each session once, when its application becomes known.
func (w *wrongPort) Observe(e *Event, c *Context) {
	if !e.Named || e.App == nil || e.App.Name == "" || !e.Session.HasPorts || !w.p.wrong(e.App.Name, int(e.Session.Responder.Port)) || isComputer(e.Initiator) {
		return
	}
	who, ok := callerOf(e)
	if !ok {
		return
	}
	x, _ := c.Contracts.Expect(e.Initiator, c.Now)
	switch {
	case x != contract.Normal && contract.PortProtocol(e.Session) != "":
		return // D01 reports what hides behind the ports of infrastructure
	case x == contract.Normal && !c.callsOut(e):
		return // a server of the network listens where its operator has put it
	}
	n := w.servers.put(appServer{who, e.Session.Responder.Addr, e.Session.Responder.Port, e.App.Name}, c.Now)
	n.begin(c.Now, day)
	if n.add(e.Session.Start) {
		if f := w.finding(e, c, n); f != nil {
			c.Emit(f)
		}
	}
}

// wrong reports whether a protocol is none of a port, or has no business on it.
func (p *WrongPortParams) wrong(app string, port int) bool {
	if slices.Contains(otherRules, app) {
		return false
	}
	if owners, ok := p.Owners[port]; ok {
		return !slices.Contains(owners, app)
	}
	ports, ok := p.Ports[app]
	return ok && !slices.Contains(ports, port)
}

// usual describes what was expected instead.
func (p *WrongPortParams) usual(app string, port int) string {
	if owners, ok := p.Owners[port]; ok {
		return fmt.Sprintf("sessions on port %d are %s", port, listing(owners, len(owners)))
	}
	return fmt.Sprintf("sessions of %s go to port %d", app, p.Ports[app][0])
}

func (w *wrongPort) finding(e *Event, c *Context, n *counter) *Finding {
	f, x, source, ok := c.callerFinding(w.Rule(), e)
	if !ok {
		return nil
	}
	app, port := Clean(e.App.Name, 20), int(e.Session.Responder.Port)
	f.Key, f.Stage = app+" "+serviceKey(addr(&e.Session.Responder, e.Session.V6), e.Session), StageOutbound
	f.Severity = Low
	if x != contract.Normal || isAppliance(e.Initiator) {
		f.Severity = Medium
	}
	f.Start, f.Total, f.Count = n.first, n.count, n.take()
	who, to, sessions := f.self(), f.Peer.at(), Plural(n.count, "session", "sessions")
	f.Brief = "uses " + app + " with " + to.brief()
	f.Title = headline("%s uses "+app+" with %s, an unusual port for "+app, who, to)
	f.Message = fmt.Sprintf("Expected: %s. Seen: since %s %s opened %s of %s to %s on port %d.",
		w.p.usual(app, port), clock(n.first), who.full, sessions, app, f.other().full, port)
	f.Reasons = append(f.Reasons, Reason{Code: "wrong_port", Text: fmt.Sprintf("the first bytes are those of %s, on port %d", app, port), Weight: 0.4})
	if x != contract.Normal {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + x.String(), Text: "expected: the device " + expectation(x, source), Weight: 0.3})
	}
	f.Reasons = append(f.Reasons, benign("the operator of the server has put the protocol on this port; then allow it in the inventory"))
	f.Evidence = []Evidence{{Kind: "protocol", Summary: app + " on port " + fmt.Sprint(port) + " in " + sessions, Data: map[string]any{"protocol": app, "port": port, "sessions": n.count}}}
	f.Recommendation = wrongPortRule.advise("", f.Device)
	return f
}
