// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(reverseShellRule)

// reverseShellRule registers D25.
var reverseShellRule = register(registration{
	Rule: Rule{
		ID: "D25", Name: "Reverse shell", Kind: "reverse_shell", Version: 1, Reliability: 0.9,
		Attack: join(enterprise(taExecution, "T1059.004"), enterprise(taCommand, "T1571")),
	},
	titleOrder: 2,
	advice: map[string]steps{
		"": {
			"{contain}",
			"Block the address of the other end, and search for other devices that call it.",
			"Find out how the intruder came in: look for a login or a request just before. {renew}",
		},
	},
}, DefaultReverseShellParams, newReverseShell)

// ReverseShellParams are the parameters of D25.
type ReverseShellParams struct {
	Exchanges   int     `yaml:"exchanges"`    // of an encrypted session: exchanges that the other end begins and the device answers with more
	Share       float64 `yaml:"share"`        // of all exchanges of the session
	PauseMS     int     `yaml:"pause_ms"`     // before an exchange
	TypedBytes  int     `yaml:"typed_bytes"`  // that the other end sends in one at most
	Ratio       float64 `yaml:"ratio"`        // bytes that the device sends, for each that it gets
	Spread      float64 `yaml:"spread"`       // of the times between exchanges: standard deviation by mean; programs are regular
	MaxServers  int     `yaml:"max_servers"`  // pairs of device and server kept
	MaxSessions int     `yaml:"max_sessions"` // encrypted sessions followed
}

// DefaultReverseShellParams returns the defaults of D25.
func DefaultReverseShellParams() ReverseShellParams {
	return ReverseShellParams{Exchanges: 12, Share: 0.8, PauseMS: 1000, TypedBytes: 4000, Ratio: 1.5, Spread: 0.4, MaxServers: 20_000, MaxSessions: 10_000}
}

// reverseShell is D25: a device opens a session and speaks in it as a shell does: the other end types the commands. Intruders let a device
// call them because firewalls refuse sessions from outside.
type reverseShell struct {
	p       ReverseShellParams
	servers *table[shellServer, counter] // sessions by caller and server
	typed   *table[uint64, typing]       `snapshot:"-"` // by session
}

type shellServer struct {
	caller
	addr packet.Addr
	port uint16
}

func newReverseShell(p ReverseShellParams) *reverseShell {
	return &reverseShell{p: p, servers: newTable[shellServer, counter](p.MaxServers), typed: newTable[uint64, typing](p.MaxSessions)}
}

func (r *reverseShell) Rule() Rule { return reverseShellRule.Rule }

func (r *reverseShell) Kinds() []Kind { return []Kind{SessionFact, SessionActivity, SessionEnded} }

func (r *reverseShell) setParams(p ReverseShellParams) {
	r.p = p
	r.servers.limit(p.MaxServers)
	r.typed.limit(p.MaxSessions)
}

func (r *reverseShell) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{r.servers.part("D25.servers/1", func(c *snapshot.Codec, k *shellServer) {
		k.caller.walk(c)
		addrKey(c, &k.addr)
		snapshot.Number(c, &k.port)
	}, walkCounter)}
}

func (r *reverseShell) evictions() uint64 { return r.servers.evicted() + r.typed.evicted() }

func (r *reverseShell) Tick(now int64, c *Context) {
	r.servers.expire(now - 2*day)
	r.typed.expire(now - day)
}

// Observe looks at each session once, when the end that opened it has spoken as a shell. If it is the other end, the device types.
func (r *reverseShell) Observe(e *Event, c *Context) {
	switch e.Kind {
	case SessionActivity:
		r.activity(e, c)
		return
	case SessionEnded:
		r.typed.drop(e.Session.ID)
		return
	}
	x, ok := e.Fact.(*dissect.AppID)
	if !ok || x.Name != "shell" || e.FactDir != session.Out {
		return
	}
	who, ok := callerOf(e)
	if !ok {
		return
	}
	n := r.servers.put(shellServer{who, e.Session.Responder.Addr, e.Session.Responder.Port}, c.Now)
	n.begin(c.Now, day)
	if n.add(e.Session.Start) {
		if f := r.finding(e, c, n); f != nil {
			c.Emit(f)
		}
	}
}

func (r *reverseShell) finding(e *Event, c *Context, n *counter) *Finding {
	f, _, _, ok := c.callerFinding(r.Rule(), e)
	if !ok {
		return nil
	}
	f.Key = serviceKey(addr(&e.Session.Responder, e.Session.V6), e.Session)
	f.Stage, f.Severity = StageOutbound, Critical
	f.Start, f.Total, f.Count = n.first, n.count, n.take()
	who, server, sessions := f.self(), f.Peer.at(), Plural(n.count, "session", "sessions")
	f.Brief = "opens a reverse shell to " + server.brief()
	f.Title = headline("%s opened a reverse shell to %s", who, server)
	f.Message = fmt.Sprintf("Expected: %s runs no commands for hosts that it calls. Seen: since %s it opened %s to %s and behaved like a shell, so that the other end can type commands.",
		who.full, clock(n.first), sessions, f.other().full)
	f.Reasons = append(f.Reasons, Reason{Code: "shell", Text: "the end that opened the session sent the words of a shell: a banner, a prompt or the answer to id", Weight: 0.7},
		benign("a support tool of the vendor works like this; then add its server to the inventory"))
	f.Evidence = []Evidence{{Kind: "shell", Summary: "words of a shell in " + sessions, Data: map[string]any{"sessions": n.count}}}
	f.Recommendation = reverseShellRule.advise("", f.Device)
	return f
}
