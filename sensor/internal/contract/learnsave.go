// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

const (
	learnerPart   = "learner/1"
	contractsPart = "contracts/2"

	headRecord  = 0 // of a contract
	entryRecord = 1
)

// Parts returns the learned contracts as parts of a snapshot, and starts to track changes.
func (l *Learner) Parts() []snapshot.Part {
	l.saving = true
	return []snapshot.Part{
		snapshot.Single(learnerPart, l.walk),
		{Name: contractsPart, Drain: l.drain, Restore: l.restore},
	}
}

func (l *Learner) walk(c *snapshot.Codec) {
	snapshot.Number(c, &l.day)
	snapshot.List(c, &l.watched, watchedMax, func(d *uint32) { snapshot.Number(c, d) })
	for _, n := range []*uint64{&l.refused, &l.varied, &l.doubtful} {
		c.Uint(n)
	}
}

// drain writes at most limit records of what has changed: first what is gone, because it may have come back since.
func (l *Learner) drain(b *snapshot.Batch, limit int) (n int) {
	for ; n < limit && len(l.gone) > 0; n++ {
		last := len(l.gone) - 1
		recordKey(b.Delete(contractsPart), l.gone[last], headRecord)
		b.End()
		l.gone = l.gone[:last]
	}
	for ; n < limit && len(l.goneKeys) > 0; n++ {
		last := len(l.goneKeys) - 1
		g := &l.goneKeys[last]
		c := b.Delete(contractsPart)
		recordKey(c, g.device, entryRecord)
		g.key.walk(c)
		b.End()
		l.goneKeys = l.goneKeys[:last]
	}
	for n < limit && len(l.dirty) > 0 {
		last := len(l.dirty) - 1
		c := l.dirty[last]
		if l.devices[c.Device] == c {
			wrote, all := c.drain(b, limit-n)
			if n += wrote; !all {
				return n
			}
		}
		c.changed = false
		l.dirty = l.dirty[:last]
	}
	return n
}

func recordKey(c *snapshot.Codec, key string, kind uint8) {
	c.String(&key)
	snapshot.Number(c, &kind)
}

// drain writes at most limit records, and reports whether these were all.
func (c *Learned) drain(b *snapshot.Batch, limit int) (n int, all bool) {
	for _, e := range c.entries {
		if !e.changed {
			continue
		}
		if n >= limit {
			return n, false
		}
		e.changed = false
		n++
		w := b.Put(contractsPart)
		recordKey(w, c.Device, entryRecord)
		e.Key.walk(w)
		b.Value()
		e.walk(w)
		b.End()
	}
	if n >= limit {
		return n, false
	}
	w := b.Put(contractsPart)
	recordKey(w, c.Device, headRecord)
	b.Value()
	c.walk(w)
	b.End()
	return n + 1, true
}

// restore fills an empty Learner. Entries may come before the contract that they belong to.
func (l *Learner) restore(all snapshot.Records) (bad int) {
	type record struct {
		device string
		entry  *LearnedEntry
	}
	var entries []record
	for k, v := range all {
		kc, vc := snapshot.Reader(k), snapshot.Reader(v)
		device, kind := "", uint8(0)
		kc.String(&device)
		snapshot.Enum(kc, &kind, entryRecord)
		if kind == headRecord {
			c := &Learned{Device: device, entries: map[Key]*LearnedEntry{}}
			if c.walk(vc); kc.Done() != nil || vc.Done() != nil || len(l.devices) >= l.cfg.MaxDevices {
				bad++
				continue
			}
			l.devices[device] = c
			continue
		}
		e := &LearnedEntry{}
		e.Key.walk(kc)
		if e.walk(vc); kc.Done() != nil || vc.Done() != nil {
			bad++
			continue
		}
		entries = append(entries, record{device, e})
	}
	for _, r := range entries {
		c := l.devices[r.device]
		if c == nil || c.State == TooVaried || len(c.entries) >= EntriesLimit || l.total >= l.cfg.MaxTotal {
			bad++
			continue
		}
		c.entries[r.entry.Key] = r.entry
		c.declared = c.declared || r.entry.declared()
		l.total++
	}
	l.group()
	return bad
}

func (c *Learned) walk(w *snapshot.Codec) {
	snapshot.Enum(w, &c.State, lastState)
	snapshot.Enum(w, &c.Role, device.IoT)
	for _, t := range []*int64{&c.Began, &c.Since, &c.NewAt, &c.Suspect, &c.LastUse} {
		w.Time(t)
	}
	w.Bool(&c.ByAnalyst)
	w.String(&c.Firmware)
	w.Time(&c.Updated)
	w.Uint(&c.Outside)
	w.Float(&c.Unseen)
	w.String(&c.Unmet)
	for i := range c.Week {
		snapshot.Number(w, &c.Week[i])
	}
}

func (k *Key) walk(w *snapshot.Codec) {
	snapshot.Enum(w, &k.Dir, session.In)
	snapshot.Number(w, &k.Proto)
	snapshot.Number(w, &k.Port)
	snapshot.Number(w, &k.To)
	w.String(&k.App)
	k.Peer.Walk(w)
}

// Walk saves or restores the peer.
func (p *PeerKey) Walk(w *snapshot.Codec) {
	snapshot.Enum(w, &p.Kind, lastPeerKind)
	snapshot.Number(w, &p.Bits)
	snapshot.Number(w, &p.Number)
	w.String(&p.Text)
	w.Raw(p.Addr[:])
	if same, err := ParsePeer(p.String()); w.Reading() && (err != nil || same != *p) {
		w.Fail()
	}
}

func (e *LearnedEntry) walk(w *snapshot.Codec) {
	snapshot.Enum(w, &e.From, lastProvenance)
	for _, b := range []*bool{&e.Learned, &e.Stale, &e.Refuse} {
		w.Bool(b)
	}
	for i := range e.Hours {
		w.Uint(&e.Hours[i])
	}
	w.Time(&e.First)
	w.Time(&e.Last)
	w.Uint(&e.Uses)
	snapshot.Number(w, &e.Days)
	w.Uint(&e.Refused)
	w.Raw(e.Addr[:])
	w.String(&e.Note)
	snapshot.Number(w, &e.lastDay)
	snapshot.Number(w, &e.held.hour)
	snapshot.Number(w, &e.held.n[0])
	snapshot.Number(w, &e.held.n[1])
	e.gaps.walk(w)
}

func (g *gaps) walk(w *snapshot.Codec) {
	w.Time(&g.last)
	if snapshot.Number(w, &g.n); g.n >= 2*maxGaps {
		w.Fail()
	}
	for i := range g.list[:min(g.n, maxGaps)] {
		snapshot.Number(w, &g.list[i])
	}
}
