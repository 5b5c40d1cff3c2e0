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

var _ = add(chatRule)

// chatRule registers D48.
var chatRule = register(registration{
	Rule: Rule{
		ID: "D48", Name: "Chat with a bot's server", Kind: "bot_chat", Version: 1, Reliability: 0.8,
		Attack: join(enterprise(taCommand, "T1071", "T1571"), ics(icsCommand, "T0869", "T0885")),
	},
	titleOrder: 5,
	advice: map[string]steps{
		"": {
			"Look the server up, and search for other devices that call it.",
			"{inspect}",
			"If nobody uses IRC there: {then contain} {renew}",
		},
	},
}, DefaultChatParams, newChat)

// ChatParams are the parameters of D48.
type ChatParams struct {
	UsualPorts []int `yaml:"usual_ports"` // ports on which IRC servers listen for people
	MaxServers int   `yaml:"max_servers"` // pairs of device and server kept
}

// DefaultChatParams returns the defaults of D48.
func DefaultChatParams() ChatParams {
	return ChatParams{UsualPorts: []int{6667, 6697, 7000}, MaxServers: 20_000}
}

// chat is D48: a device speaks IRC (RFC 2812) with a server outside. Bots have been told what to do over IRC for decades, mostly on a port
// that no server for people uses.
type chat struct {
	p       ChatParams
	servers *table[chatServer, counter] // sessions by caller and server
}

type chatServer struct {
	caller
	addr packet.Addr
	port uint16
}

func newChat(p ChatParams) *chat {
	return &chat{p: p, servers: newTable[chatServer, counter](p.MaxServers)}
}

func (b *chat) Rule() Rule { return chatRule.Rule }

func (b *chat) Kinds() []Kind { return []Kind{SessionFact} }

func (b *chat) setParams(p ChatParams) {
	b.p = p
	b.servers.limit(p.MaxServers)
}

func (b *chat) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{b.servers.part("D48.servers/1", func(c *snapshot.Codec, k *chatServer) {
		k.caller.walk(c)
		addrKey(c, &k.addr)
		snapshot.Number(c, &k.port)
	}, walkCounter)}
}

func (b *chat) evictions() uint64 { return b.servers.evicted() }

func (b *chat) Tick(now int64, c *Context) { b.servers.expire(now - 2*day) }

// Observe looks at each session once, when its application becomes known.
func (b *chat) Observe(e *Event, c *Context) {
	if !e.Named || e.App == nil || e.App.Name != "irc" || !c.callsOut(e) {
		return
	}
	who, ok := callerOf(e)
	if !ok {
		return
	}
	n := b.servers.put(chatServer{who, e.Session.Responder.Addr, e.Session.Responder.Port}, c.Now)
	n.begin(c.Now, day)
	if n.add(e.Session.Start) {
		if f := b.finding(e, c, n); f != nil {
			c.Emit(f)
		}
	}
}

func (b *chat) finding(e *Event, c *Context, n *counter) *Finding {
	f, x, source, ok := c.callerFinding(b.Rule(), e)
	if !ok {
		return nil
	}
	usual := slices.Contains(b.p.UsualPorts, int(e.Session.Responder.Port))
	f.Key = serviceKey(addr(&e.Session.Responder, e.Session.V6), e.Session)
	f.Stage, f.Severity = StageOutbound, b.severity(e.Initiator, x, source, usual)
	f.Start, f.Total, f.Count = n.first, n.count, n.take()
	who, server, sessions := f.self(), f.Peer.at(), Plural(n.count, "session", "sessions")
	f.Brief = "uses IRC with " + server.brief()
	f.Title = headline("%s uses IRC with %s", who, server)
	f.Message = fmt.Sprintf("Expected: %s does not use IRC. Seen: since %s it opened %s of IRC, by which botnets are controlled, to %s on port %d.",
		who.full, clock(n.first), sessions, f.other().full, e.Session.Responder.Port)
	f.Reasons = append(f.Reasons, Reason{Code: "irc", Text: "the session has the commands of IRC", Weight: 0.5})
	if !usual {
		f.Reasons = append(f.Reasons, Reason{Code: "odd_port", Text: "IRC servers for people do not listen on this port", Weight: 0.3})
	}
	f.Reasons = append(f.Reasons, benign("somebody uses IRC on this device"))
	f.Evidence = []Evidence{{Kind: "chat", Summary: "IRC in " + sessions, Data: map[string]any{"protocol": "irc", "sessions": n.count}}}
	f.Recommendation = chatRule.advise("", f.Device)
	return f
}

// severity is high, except on a workstation and, on a port that people use, on a device that may be anything.
func (b *chat) severity(d *device.Device, x contract.Expect, source string, usual bool) Severity {
	switch {
	case strict(x, source):
		return High
	case d != nil && d.Role == device.Workstation && d.Level >= device.Hint:
		return Low
	case usual && !isAppliance(d):
		return Medium
	}
	return High
}
