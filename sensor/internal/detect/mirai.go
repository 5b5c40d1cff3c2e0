// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"encoding/binary"
	"fmt"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(miraiRule)

// miraiRule registers D14.
var miraiRule = register(registration{
	Rule: Rule{
		ID: "D14", Name: "Mirai-family scan", Kind: "mirai_scan", Version: 1, Reliability: 0.999,
		Attack: join(
			enterprise(taReconnaissance, "T1595.002"),
			enterprise(taCredentials, "T1110"),
			ics(icsDiscovery, "T0846"),
		),
	},
	titleOrder: 2,
	advice: map[string]steps{
		"": {
			"{contain}",
			"Close the port through which it was reached, usually Telnet or SSH with a default password.",
			"{renew}",
		},
		"probed": {
			"Take no action while the port does not answer.",
			"Check that Telnet and SSH are closed to external hosts.",
			"Check that the device has no default password.",
		},
	},
}, DefaultMiraiParams, newMirai)

// MiraiParams are the parameters of D14.
type MiraiParams struct {
	MaxSources int `yaml:"max_sources"` // scanning devices, and targets of external scanners, counted
}

// DefaultMiraiParams returns the defaults of D14.
func DefaultMiraiParams() MiraiParams { return MiraiParams{MaxSources: 50_000} }

// mirai is D14: the scanner of the Mirai family sends SYNs without options whose sequence number is the destination address. By chance
// that is one SYN in 2^32, so one is enough.
type mirai struct {
	p    MiraiParams
	ours *table[uint32, counter] // by scanning device
	them *table[uint32, counter] // by device scanned from outside
}

func newMirai(p MiraiParams) *mirai {
	return &mirai{p, newTable[uint32, counter](p.MaxSources), newTable[uint32, counter](p.MaxSources)}
}

func (m *mirai) Rule() Rule { return miraiRule.Rule }

func (m *mirai) Kinds() []Kind { return []Kind{SessionOpened} }

func (m *mirai) setParams(p MiraiParams) {
	m.p = p
	m.ours.limit(p.MaxSources)
	m.them.limit(p.MaxSources)
}

func (m *mirai) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{m.ours.part("D14.ours/1", deviceKey, walkCounter), m.them.part("D14.them/1", deviceKey, walkCounter)}
}

func (m *mirai) evictions() uint64 { return m.ours.evicted() + m.them.evicted() }

func (m *mirai) Tick(now int64, c *Context) {
	m.ours.expire(now - day)
	m.them.expire(now - day)
}

func (m *mirai) Observe(e *Event, c *Context) {
	if !miraiSYN(e.Session) {
		return
	}
	v := e.Session
	switch {
	case e.Initiator != nil:
		t := m.ours.put(e.Initiator.ID, c.Now)
		if t.addPeer(v.Start, addr(&v.Responder, v.V6)) {
			c.Emit(m.infected(e, c, t))
		}
	case e.Responder != nil:
		t := m.them.put(e.Responder.ID, c.Now)
		if t.addPeer(v.Start, addr(&v.Initiator, v.V6)) {
			c.Emit(m.scanned(e, c, t))
		}
	}
}

func miraiSYN(v *session.View) bool {
	a := v.Responder.Addr
	return v.Proto == protoTCP && !v.V6 && v.Basis == session.BasisSYN && v.Opened() && v.SynOptLen == 0 && a != packet.Addr{} &&
		v.SynSeq == binary.BigEndian.Uint32(a[12:])
}

func (m *mirai) infected(e *Event, c *Context, t *counter) *Finding {
	f := c.sessionFinding(m.Rule(), e, session.Out)
	f.Key, f.Severity, f.Stage, f.Start, f.Count = "syn", Critical, StageDiscovery, t.first, t.take()
	f.Entities = append(f.Entities, ipEntities(t.peers)...)
	who, syns := f.self(), Plural(t.count, "SYN", "SYNs")
	f.Total, f.Brief = t.count, "scans like Mirai malware"
	f.Peers = slices.Clone(t.peers)
	f.Title = headline("%s scans like Mirai malware", who)
	f.Message = fmt.Sprintf("Expected: %s never sends a SYN with the destination address as sequence number. Seen: since %s it sent %s of this kind without TCP options, the last to %s.",
		who.full, clock(t.first), syns, f.Peer.at().full)
	f.Reasons = []Reason{{Code: "sequence_is_destination", Text: "by chance one SYN in 4,294,967,296 looks like this", Weight: 0.999},
		benign("somebody runs a research scanner on purpose")}
	f.Evidence = []Evidence{{Kind: "syn", Summary: syns + " to " + listing(t.peers, 5), Data: map[string]any{"syns": t.count}}}
	f.Recommendation = miraiRule.advise("", f.Device)
	return f
}

func (m *mirai) scanned(e *Event, c *Context, t *counter) *Finding {
	f := c.sessionFinding(m.Rule(), e, session.In)
	f.Key, f.Severity, f.Stage, f.Start, f.Count, f.Reliability = "probed", Informational, StageScanned, t.first, t.take(), 0.1
	f.Entities = append(f.Entities, ipEntities(t.peers)...)
	who := f.self()
	f.Total = t.count
	f.Title = headline("%s is probed by Mirai malware from outside", who)
	f.Message = fmt.Sprintf("Expected: hosts on the Internet probe what they can reach. Seen: since %s %s of Mirai scanners to %s, the last from %s to port %d.",
		clock(t.first), Plural(t.count, "SYN", "SYNs"), who.full, f.Peer.IP, e.Session.Responder.Port)
	f.Reasons = []Reason{{Code: "sequence_is_destination", Text: "the outside source runs such a scanner", Weight: 0.1}, benign("the device does not answer")}
	f.Recommendation = miraiRule.advise("probed", f.Device)
	return f
}
