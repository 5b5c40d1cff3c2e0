// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"slices"
	"strings"
)

// droppedKey begins the keys of Summary.Counters that are one metric with a label for the rest.
const droppedKey = "datagrams_dropped_"

// counters lists the metrics that come from Summary.Counters: every way out of the packet path that is not a verdict, and
// every table that gave something up. The key of a counter is its name without _total.
func counters() []family {
	one := func(key, help string) family { return family{key + "_total", counter, help, nil} }
	return []family{
		one("frames_time_ahead", "Frames that are more than a day ahead of the one before them; the clock follows when the next one agrees."),
		one("frames_time_backwards", "Frames that are more than a second older than one before them; the clock stands until it is caught up with."),
		one("watched_seconds", "Capture time in which the network was watched: see devices.md, watched time."),
		one("unwatched_seconds", "Capture time in which it was not: pauses of a capture; at a port times in which it could not be listened to, or lost too much."),
		one("packets_shunted", "Packets that the kernel counted for their sessions and did not hand on."),
		one("packets_shunted_bytes", "Bytes of those packets, from the IP header on."),
		one("fragments", "IP fragments."),
		one("fragments_held", "Fragments that came before the first of their datagram and waited for it."),
		one("fragments_lost", "Fragments that waited in vain and are part of no session."),
		one("fragments_overlapping", "Fragments that overlap others."),
		one("fragments_duplicate", "Fragments that came twice."),
		one("datagrams_reassembled", "Fragmented datagrams that were put together."),
		one("datagrams_expired", "Fragmented datagrams that were given up after 30 seconds."),
		one("datagrams_evicted", "Fragmented datagrams that were given up because the table was full."),
		one("sessions_created", "Sessions that were entered into the tables."),
		one("sessions_expired", "Sessions that ended by time."),
		one("sessions_evicted", "Sessions that were ended because a table was full."),
		one("sessions_port_reused", "Sessions that ended because their addresses and ports began a new one."),
		one("heads_evicted", "Stream heads that were given up because too many were being read."),
		one("heads_cut", "Stream heads that were given up because their buffers were full."),
		one("heads_with_gap", "Stream heads that ended at a gap."),
		one("segments_beyond_window", "Segments out of order that lay beyond what is kept of a stream head."),
		one("openings_dropped", "SYNs and SYN-ACKs within a live TCP session that waited for the other end to agree and gave way to newer ones: they stay with that session."),
		one("past_sessions_dropped", "Ended TCP sessions of which is no longer remembered who opened them, because there were too many."),
		one("vlan_stacks_lost", "Sessions whose VLAN tags were not kept, because there were too many different stacks of tags."),
		one("tcp_sessions_ended", "TCP sessions that ended."),
		one("tcp_sessions_one_way", "Those of them of which one direction was never seen though it must exist."),
		one("tcp_bytes_acked", "Bytes that TCP acknowledged."),
		one("tcp_bytes_missed", "Those of them that the capture lacks."),
		one("tcp_packets", "TCP packets."),
		one("tcp_packets_duplicate", "Those of them that were captured twice."),
		one("conversations_read", "Sessions whose application protocol was looked for."),
		one("session_details_dropped", "Sessions of which only the name of the protocol was kept to their end, because too many had details."),
		one("link_facts", "ARP and Neighbour Discovery messages that were read."),
		one("names_evicted", "Names of addresses that were forgotten because the cache was full."),
		one("device_links_refused", "MAC addresses that were not followed because too many are."),
		one("device_claims_refused", "Statements about devices that were not kept because a device had too many."),
		one("devices_merged", "Devices that turned out to be one with another."),
		one("devices_split", "Devices whose MAC turned out to be a router's, so that others stand behind it."),
		one("detector_evictions", "Sources, peers and sessions that detectors forgot because a table of theirs was full."),
		one("devices_evicted", "Devices that were forgotten because the registry was full."),
		one("close_looks", "Sessions that the kernel was asked to hand on whole for a minute, because of a finding about them."),
		one("close_looks_refused", "Sessions of which that could not be had, because too many were asked for or the kernel refused."),
		one("findings", "Findings of the detectors."),
		one("alert_revisions", "Revisions of alerts."),
		one("alerts_rolled_up", "Findings that were counted in one alert because a device had too many."),
		one("alerts_evicted", "Open alerts that were evicted because the table was full."),
		one("incidents", "Incidents."),
		one("incidents_evicted", "Incidents that were evicted because the table was full."),
		{droppedKey + "total", counter, "Fragmented datagrams that were not put together.", []string{"reason"}},
	}
}

// count gives the metrics of Summary.Counters.
func (r Run) count(put func(string, float64, ...string)) {
	for _, f := range counters() {
		if len(f.labels) == 0 {
			put(f.name, float64(r.Summary.Counters[strings.TrimSuffix(f.name, "_total")]))
		}
	}
	for key, n := range r.Summary.Counters {
		if reason, ok := strings.CutPrefix(key, droppedKey); ok && n > 0 {
			put(droppedKey+"total", float64(n), reason)
		}
	}
}

// all lists every metric.
func all() []family { return slices.Concat(families(), counters(), portFamilies()) }
