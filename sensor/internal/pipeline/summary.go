// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/packet"
)

// Summary tells what the run has seen. It is called after Run, or by Ask.
func (r *Run) Summary() Summary {
	t := &r.correlator.counts
	s := r.src.Stats()
	out := Summary{
		Progress: r.Progress(), Files: s.Files, Sessions: t.sessions, SessionsLive: uint64(t.maxLive), SessionsNow: uint64(t.live), Devices: uint64(r.correlator.reg.Stats().Devices),
		DevicesEvicted: r.correlator.reg.Stats().Evicted, Silent: t.silent, Spoke: t.spoken, TryInternal: t.networks.suggest(), Verdicts: t.verdicts(),
		Counters:    r.counters(),
		OneWayShare: share(t.stats.TCPOneWay, t.stats.TCPEnded, 1), GapShare: share(t.stats.GapBytes, t.stats.AckedBytes, 1),
		DupShare: share(t.stats.Duplicates, t.stats.TCPPackets, 1), LossRatio: share(t.loss.lost, t.loss.offered, 1), Source: s,
	}
	if out.Quiet, out.Loud = uint64(len(t.silent)), uint64(len(t.spoken)); t.devices == 0 { // it goes on
		out.Quiet, out.Loud = t.scan.silent, t.scan.spoke
	}
	for _, d := range s.Damage {
		out.Damage = append(out.Damage, d.String())
	}
	return out
}

// counters gives every exit that is neither a verdict nor an alert, by the name of its metric.
func (r *Run) counters() map[string]uint64 {
	t := &r.correlator.counts
	f := &t.fragments
	a, d := r.correlator.alerts.Stats(), r.correlator.reg.Stats()
	m := map[string]uint64{
		"frames_time_ahead":       t.frames.ahead,
		"frames_time_backwards":   t.frames.backwards,
		"packets_shunted":         t.frames.shunted,
		"packets_shunted_bytes":   t.frames.kept,
		"fragments":               f.Fragments,
		"fragments_held":          f.Held,
		"fragments_lost":          f.Lost,
		"fragments_overlapping":   f.Overlaps,
		"fragments_duplicate":     f.Duplicates,
		"datagrams_reassembled":   f.Completed,
		"datagrams_expired":       f.Expired,
		"datagrams_evicted":       f.Evicted,
		"sessions_created":        t.stats.Created,
		"sessions_expired":        t.stats.Expired,
		"sessions_evicted":        t.stats.Evicted,
		"sessions_port_reused":    t.stats.Reused,
		"heads_evicted":           t.stats.HeadsEvicted,
		"heads_cut":               t.stats.HeadsCut,
		"heads_with_gap":          t.stats.HeadGaps,
		"segments_beyond_window":  t.stats.SegmentsDropped,
		"openings_dropped":        t.stats.OpeningsDropped,
		"past_sessions_dropped":   t.stats.PastDropped,
		"vlan_stacks_lost":        t.stats.VLANStacksLost,
		"tcp_sessions_ended":      t.stats.TCPEnded,
		"tcp_sessions_one_way":    t.stats.TCPOneWay,
		"tcp_bytes_acked":         t.stats.AckedBytes,
		"tcp_bytes_missed":        t.stats.GapBytes,
		"tcp_packets":             t.stats.TCPPackets,
		"tcp_packets_duplicate":   t.stats.Duplicates,
		"conversations_read":      t.extra.Conversations,
		"session_details_dropped": t.extra.DetailsDropped,
		"link_facts":              t.extra.LinkFacts,
		"names_evicted":           r.correlator.ctx.Names.Evicted(),
		"devices_evicted":         d.Evicted,
		"device_links_refused":    d.LinksRefused,
		"device_claims_refused":   d.ClaimsRefused,
		"devices_merged":          d.Merged,
		"devices_split":           d.Splits,
		"detector_evictions":      detect.Evictions(r.correlator.detectors),
		"close_looks":             r.correlator.full.started,
		"close_looks_refused":     r.correlator.full.failed,
		"findings":                a.Findings,
		"alert_revisions":         a.Revisions,
		"alerts_rolled_up":        a.RolledUp,
		"alerts_evicted":          a.Evicted,
		"incidents":               a.Incidents,
		"incidents_evicted":       a.IncidentsEvicted,
	}
	m["watched_seconds"], m["unwatched_seconds"] = r.correlator.clock.Totals()
	for i, n := range f.Dropped {
		m["datagrams_dropped_"+packet.FragDrop(i).String()] = n
	}
	return m
}
