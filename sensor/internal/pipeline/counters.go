// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/packet"
)

// Counter is one entry of Summary.Counters: an exit from the packet path, or entries that a full table discarded. Its metric is
// stillwatch_sensor_NAME_total.
type Counter struct {
	Name, Help string
	read       func(*correlator) uint64
}

// Counters returns all counters of a run, in the order of docs/metrics.md. This table is the only place that names them.
func Counters() []Counter {
	return []Counter{
		{"frames_time_ahead", "Frames more than a day ahead of the frame before; the clock follows when the next frame agrees.", func(c *correlator) uint64 { return c.counts.frames.ahead }},
		{"frames_time_backwards", "Frames more than a second older than an earlier frame; the clock waits until time catches up.", func(c *correlator) uint64 { return c.counts.frames.backwards }},
		{"frames_cut", "Frames that were not read because a filter or a time range excludes them.", func(c *correlator) uint64 { return c.counts.frames.cut }},
		{"watched_seconds", "Capture time in which the network was watched: see devices.md, watched time.", func(c *correlator) uint64 { n, _ := c.clock.Totals(); return n }},
		{"unwatched_seconds", "Capture time in which it was not watched: pauses of a capture, and on a live interface times when it was down or lost too many frames.", func(c *correlator) uint64 { _, n := c.clock.Totals(); return n }},
		{"packets_shunted", "Packets that the kernel counted for their sessions and did not copy.", func(c *correlator) uint64 { return c.counts.frames.shunted }},
		{"packets_shunted_bytes", "Bytes of those packets, from the IP header on.", func(c *correlator) uint64 { return c.counts.frames.kept }},
		{"fragments", "IP fragments.", func(c *correlator) uint64 { return c.counts.fragments.Fragments }},
		{"fragments_held", "Fragments that arrived before the first of their datagram and were held.", func(c *correlator) uint64 { return c.counts.fragments.Held }},
		{"fragments_lost", "Held fragments whose datagram never completed; they are part of no session.", func(c *correlator) uint64 { return c.counts.fragments.Lost }},
		{"fragments_overlapping", "Fragments that overlap others.", func(c *correlator) uint64 { return c.counts.fragments.Overlaps }},
		{"fragments_duplicate", "Fragments that were captured twice.", func(c *correlator) uint64 { return c.counts.fragments.Duplicates }},
		{"datagrams_reassembled", "Fragmented datagrams that were reassembled.", func(c *correlator) uint64 { return c.counts.fragments.Completed }},
		{"datagrams_expired", "Fragmented datagrams that were discarded after 30 seconds.", func(c *correlator) uint64 { return c.counts.fragments.Expired }},
		{"datagrams_evicted", "Fragmented datagrams that were discarded because the table was full.", func(c *correlator) uint64 { return c.counts.fragments.Evicted }},
		{"address_spaces", "Encapsulations and VLANs whose private addresses are kept apart from those of others.", func(c *correlator) uint64 { return c.counts.scopes.Spaces }},
		{"address_spaces_refused", "Encapsulations and VLANs whose private addresses are mixed with those of others, because there are too many.", func(c *correlator) uint64 { return c.counts.scopes.Refused }},
		{"address_stations_replaced", "Stations that others replaced in the table that finds private addresses used twice.", func(c *correlator) uint64 { return c.counts.scopes.Replaced }},
		{"sessions_created", "Sessions that were added to the tables.", func(c *correlator) uint64 { return c.counts.stats.Created }},
		{"sessions_expired", "Sessions that ended by timeout.", func(c *correlator) uint64 { return c.counts.stats.Expired }},
		{"sessions_evicted", "Sessions that ended because a table was full.", func(c *correlator) uint64 { return c.counts.stats.Evicted }},
		{"sessions_port_reused", "Sessions that ended because the same addresses and ports opened a new one.", func(c *correlator) uint64 { return c.counts.stats.Reused }},
		{"heads_evicted", "Stream heads that were discarded because too many were being read.", func(c *correlator) uint64 { return c.counts.stats.HeadsEvicted }},
		{"heads_cut", "Stream heads that were discarded because their buffers were full.", func(c *correlator) uint64 { return c.counts.stats.HeadsCut }},
		{"heads_with_gap", "Stream heads that ended at a gap.", func(c *correlator) uint64 { return c.counts.stats.HeadGaps }},
		{"segments_beyond_window", "Out-of-order segments beyond the part of a stream head that is buffered.", func(c *correlator) uint64 { return c.counts.stats.SegmentsDropped }},
		{"openings_dropped", "SYNs and SYN-ACKs in a live TCP session that no answer confirmed before newer ones replaced them; they are counted for that session.", func(c *correlator) uint64 { return c.counts.stats.OpeningsDropped }},
		{"late_segments", "Segments of ended TCP sessions whose addresses and ports a new session has; they are counted for neither.", func(c *correlator) uint64 { return c.counts.stats.LateSegments }},
		{"past_sessions_dropped", "Ended TCP sessions whose initiator was forgotten because the table was full.", func(c *correlator) uint64 { return c.counts.stats.PastDropped }},
		{"evidence_packets", "Packets that were kept as possible evidence of alerts.", func(c *correlator) uint64 { return c.keeper.stats().Kept }},
		{"evidence_packets_overwritten", "Of these, packets that newer ones replaced.", func(c *correlator) uint64 { return c.keeper.stats().Overwritten }},
		{"evidence_packets_thinned", "Packets that were not kept because their flow had enough in that second.", func(c *correlator) uint64 { return c.keeper.stats().Thinned }},
		{"evidence_files", "Files with the packets of alerts.", func(c *correlator) uint64 { return c.keeper.stats().Files }},
		{"evidence_failed", "Of these, files of a live run that could not be written.", func(c *correlator) uint64 { return c.keeper.failed }},
		{"evidence_refused", "Alerts without packets because too many alerts were waiting for theirs, or too many devices were followed.", func(c *correlator) uint64 { return c.keeper.stats().Refused }},
		{"evidence_devices_refused", "Devices whose packets were not kept because too many devices were followed.", func(c *correlator) uint64 { return c.keeper.stats().Unfollowed }},
		{"vlan_stacks_lost", "Sessions whose VLAN tags were not kept because there were too many different stacks of tags.", func(c *correlator) uint64 { return c.counts.stats.VLANStacksLost }},
		{"follows_evicted", "Sessions whose bytes over time are not followed any longer, or never were, because there were too many; D11 needs them.", func(c *correlator) uint64 { return c.counts.stats.FollowEvicted }},
		{"tcp_sessions_ended", "TCP sessions that ended.", func(c *correlator) uint64 { return c.counts.stats.TCPEnded }},
		{"tcp_sessions_one_way", "Ended TCP sessions of which one direction was never seen, although it must exist.", func(c *correlator) uint64 { return c.counts.stats.TCPOneWay }},
		{"tcp_bytes_acked", "Bytes that TCP acknowledged.", func(c *correlator) uint64 { return c.counts.stats.AckedBytes }},
		{"tcp_bytes_missed", "Acknowledged bytes that were not captured.", func(c *correlator) uint64 { return c.counts.stats.GapBytes }},
		{"tcp_packets", "TCP packets.", func(c *correlator) uint64 { return c.counts.stats.TCPPackets }},
		{"tcp_packets_duplicate", "TCP packets that were captured more than once, and counted once.", func(c *correlator) uint64 { return c.counts.stats.TCPDuplicates }},
		{"packets_duplicate", "IP packets of any protocol that were captured more than once, and counted once.", func(c *correlator) uint64 { return c.counts.stats.Duplicates }},
		{"conversations_read", "Sessions in which an application protocol was looked for.", func(c *correlator) uint64 { return c.counts.extra.Conversations }},
		{"session_details_dropped", "Sessions that keep only the name of their protocol, because too many had details.", func(c *correlator) uint64 { return c.counts.extra.DetailsDropped }},
		{"link_facts", "Messages of ARP, Neighbor Discovery, LLDP, CDP, EDP, FDP, spanning trees and SADP over Ethernet that were read.", func(c *correlator) uint64 { return c.counts.extra.LinkFacts }},
		{"media_announcements_evicted", "Announcements of RTP in RTSP, and announced flows, that were evicted because a table was full.", func(c *correlator) uint64 { return c.media.evicted() }},
		{"names_evicted", "DNS names of addresses that were evicted because the cache was full.", func(c *correlator) uint64 { return c.ctx.Names.Evicted() }},
		{"devices_evicted", "Devices that were evicted because the registry was full.", func(c *correlator) uint64 { return c.reg.Stats().Evicted }},
		{"device_hours_evicted", "Hours that were dropped from the proofs of silence of all devices because there was no room.", func(c *correlator) uint64 { return c.reg.Stats().HoursEvicted }},
		{"device_links_refused", "MAC addresses that were not tracked because the table was full.", func(c *correlator) uint64 { return c.reg.Stats().LinksRefused }},
		{"device_claims_refused", "Claims about devices that were not kept because a device had too many.", func(c *correlator) uint64 { return c.reg.Stats().ClaimsRefused }},
		{"devices_merged", "Devices that were merged with another because both are the same.", func(c *correlator) uint64 { return c.reg.Stats().Merged }},
		{"devices_split", "Devices that were split because their MAC address is that of a router.", func(c *correlator) uint64 { return c.reg.Stats().Splits }},
		{"contracts_refused", "Sessions of devices for which no contract is learned because there are too many.", func(c *correlator) uint64 { return c.contracts.Learner().Counts().Refused }},
		{"contracts_too_varied", "Learned contracts that were given up because a device does too much, or because there are too many entries.", func(c *correlator) uint64 { return c.contracts.Learner().Counts().TooVaried }},
		{"sessions_not_learned", "Sessions that no contract learns: of a device with an open incident, against the template of its role, or from outside to an admin port.", func(c *correlator) uint64 { return c.contracts.Learner().Counts().Doubtful }},
		{"detector_evictions", "Sources, peers and sessions that detectors evicted because a table was full.", func(c *correlator) uint64 { return detect.Evictions(c.detectors) }},
		{"full_captures", "Sessions of which the kernel was asked to copy every packet for a minute, because of a finding.", func(c *correlator) uint64 { return c.full.started }},
		{"full_captures_refused", "Such requests that failed: too many at once, or the kernel refused.", func(c *correlator) uint64 { return c.full.failed }},
		{"findings", "Findings of the detectors.", func(c *correlator) uint64 { return c.alerts.Stats().Findings }},
		{"alert_revisions", "Revisions of alerts.", func(c *correlator) uint64 { return c.alerts.Stats().Revisions }},
		{"alerts_rolled_up", "Findings that were counted in one alert because a device had too many.", func(c *correlator) uint64 { return c.alerts.Stats().RolledUp }},
		{"alerts_evicted", "Open alerts that were evicted because the table was full.", func(c *correlator) uint64 { return c.alerts.Stats().Evicted }},
		{"findings_suppressed", "Findings that a policy of an analyst suppresses.", func(c *correlator) uint64 { return c.alerts.Stats().Suppressed }},
		{"policies_taken", "Policies of analysts that were taken.", func(c *correlator) uint64 { return c.policies.Counts().Taken }},
		{"policies_refused", "Policies that were refused: see D44.", func(c *correlator) uint64 { return c.policies.Counts().Refused }},
		{"policies_ignored", "Policies that are for other sensors.", func(c *correlator) uint64 { return c.policies.Counts().Ignored }},
		{"incidents", "Incidents.", func(c *correlator) uint64 { return c.alerts.Stats().Incidents }},
		{"incidents_evicted", "Incidents that were evicted because the table was full.", func(c *correlator) uint64 { return c.alerts.Stats().IncidentsEvicted }},
	}
}

// counters reads all counters, by name.
func (c *correlator) counters() map[string]uint64 {
	m := map[string]uint64{}
	for _, x := range Counters() {
		m[x.Name] = x.read(c)
	}
	return m
}

// datagramsDropped returns the fragmented datagrams that could not be reassembled, by reason.
func (c *correlator) datagramsDropped() map[string]uint64 {
	m := map[string]uint64{}
	for i, n := range c.counts.fragments.Dropped {
		m[packet.FragDrop(i).String()] = n
	}
	return m
}
