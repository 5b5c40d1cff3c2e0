// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// runCounts counts what a run has seen. Only the correlator changes it.
type runCounts struct {
	frames    frameCounts
	stats     session.Stats
	extra     shardCounts
	live      int // live sessions at the last tick
	maxLive   int
	fragments packet.ReassemblyStats
	scopes    packet.ScopeStats
	loss      lossCounts
	sessions  uint64
	devices   uint64
	first     int64
	clock     int64
	alerts    uint64
	spoke     map[string]bool
	silent    []DeviceLine
	spoken    []DeviceLine
	scan      scanCounts // of a live run that is not over
	progress  progress
	networks  networks
}

func newRunCounts() runCounts {
	return runCounts{spoke: map[string]bool{}}
}

func (t *runCounts) add(b *block) {
	t.frames.add(&b.frames)
	t.clock = b.clock
	if t.first == 0 && len(b.batch.Frames) > 0 {
		t.first = b.batch.Frames[0].Time
	}
	var s session.Stats
	var x shardCounts
	for i := range b.shards {
		s.Add(&b.shards[i].stats)
		x.LinkFacts += b.shards[i].extra.LinkFacts
		x.Conversations += b.shards[i].extra.Conversations
		x.DetailsDropped += b.shards[i].extra.DetailsDropped
	}
	t.stats, t.extra = s, x
	t.fragments, t.scopes, t.loss = b.fragments, b.scopes, b.loss
	t.progress.set(t)
}

func (f *frameCounts) add(x *frameCounts) {
	for i := range f.verdicts {
		f.verdicts[i] += x.verdicts[i]
	}
	f.frames += x.frames
	f.bytes += x.bytes
	f.held += x.held
	f.backwards += x.backwards
	f.ahead += x.ahead
	f.shunted += x.shunted
	f.kept += x.kept
	f.cut += x.cut
}

func (t *runCounts) finding(f *detect.Finding) {
	if f.Device != nil && f.Broken != "" && len(t.spoke) < maxSpoke {
		t.spoke[f.Device.Key] = true
	}
}

// move counts a device that spoke under its new key.
func (t *runCounts) move(m device.Move, broken bool) {
	if m.Addr.IsValid() {
		if broken && len(t.spoke) < maxSpoke {
			t.spoke[m.To.Key] = true
		}
	} else if t.spoke[m.From] {
		delete(t.spoke, m.From)
		t.spoke[m.To.Key] = true
	}
}

// maxSpoke bounds the set of devices that spoke.
const maxSpoke = 1 << 20

func (t *runCounts) alert(a *schemas.Alert) {
	if a.Action == "create" {
		t.alerts++
	}
}

func (t *runCounts) device(d *device.Device, e contract.Expect) {
	t.devices++
	quiet := e == contract.Silent || e == contract.ServerOnly
	if !quiet && !t.spoke[d.Key] {
		return
	}
	l := DeviceLine{Key: d.Key, Role: d.Role.String(), Vendor: d.Vendor, Expect: e.String()}
	if ip := d.IP(); ip.IsValid() {
		l.IP = ip.String()
	}
	if len(d.Hostnames) > 0 {
		l.Name = d.Hostnames[0]
	}
	if quiet {
		t.silent = append(t.silent, l)
	}
	if t.spoke[d.Key] {
		t.spoken = append(t.spoken, l)
	}
}

// verdicts returns the number of frames by the name of their verdict, without zeros.
func (t *runCounts) verdicts() map[string]uint64 {
	m := map[string]uint64{}
	for i, n := range t.frames.verdicts {
		if n > 0 {
			m[packet.Verdict(i).String()] = n
		}
	}
	return m
}
