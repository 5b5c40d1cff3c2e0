// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"encoding/binary"
	"fmt"

	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// MiraiParams are the parameters of D14.
type MiraiParams struct {
	MaxSources int `yaml:"max_sources"` // scanning devices, and targets of outside scanners, counted
}

// DefaultMiraiParams gives the defaults of D14.
func DefaultMiraiParams() MiraiParams { return MiraiParams{MaxSources: 50_000} }

// mirai is D14: the scanner of the Mirai family sends SYNs whose sequence number is the destination address, without
// options. By chance that is one SYN in 2^32, so one is enough.
type mirai struct {
	p    MiraiParams
	ours *table[uint32, tally] // by scanning device
	them *table[uint32, tally] // by device scanned from outside
}

func newMirai(p MiraiParams) *mirai {
	return &mirai{p, newTable[uint32, tally](p.MaxSources), newTable[uint32, tally](p.MaxSources)}
}

func (m *mirai) Rule() Rule { return ruleMirai }

func (m *mirai) Kinds() []Kind { return []Kind{SessionOpened} }

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
	return v.Proto == protoTCP && !v.V6 && v.Basis == session.BasisSYN && v.SynOptLen == 0 && a != packet.Addr{} &&
		v.SynSeq == binary.BigEndian.Uint32(a[12:])
}

func (m *mirai) infected(e *Event, c *Context, t *tally) *Finding {
	f := c.on(m.Rule(), e, session.Out)
	f.Key, f.Severity, f.Stage, f.Start, f.Count = "syn", Critical, StageDiscovery, t.first, t.take()
	f.Entities = append(f.Entities, ipEntities(t.peers)...)
	f.Title = fmt.Sprintf("%s scans as the Mirai family does", e.who(session.Out))
	f.Message = fmt.Sprintf("Expected of %s: nothing of the kind. Seen: since %s it sent %d SYNs whose sequence number is the destination address and that carry no options; the last to %s.",
		e.who(session.Out), clock(t.first), t.count, peerAt(f.Peer))
	f.Reasons = []Reason{{Code: "sequence_is_destination", Text: "by chance this happens once in 4,294,967,296 SYNs", Weight: 0.999},
		benign("it is a research scanner that somebody runs on purpose")}
	f.Evidence = []Evidence{{Kind: "syn", Summary: fmt.Sprintf("%d SYNs to %s", t.count, listing(t.peers, 5)), Data: map[string]any{"syns": t.count}}}
	f.Recommendation = "The device runs malware: cut it off, restart it from known firmware, set a password of its own, and close the port by which it was reached."
	return f
}

func (m *mirai) scanned(e *Event, c *Context, t *tally) *Finding {
	f := c.on(m.Rule(), e, session.In)
	f.Key, f.Severity, f.Stage, f.Start, f.Count, f.Reliability = "probed", Informational, StageScanned, t.first, t.take(), 0.1
	f.Entities = append(f.Entities, ipEntities(t.peers)...)
	f.Title = fmt.Sprintf("%s is probed by scanners of the Mirai family", e.who(session.In))
	f.Message = fmt.Sprintf("Expected: the Internet scans. Seen: %d such SYNs from outside since %s, the last from %s to port %d.",
		t.count, clock(t.first), f.Peer.IP, e.Session.Responder.Port)
	f.Reasons = []Reason{{Code: "sequence_is_destination", Text: "the outside source runs such a scanner", Weight: 0.1}, benign("the device does not answer")}
	f.Recommendation = "None, unless the port answers."
	return f
}
