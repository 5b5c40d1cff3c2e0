// SPDX-License-Identifier: Apache-2.0

package casereport

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"stillwatch/sensor/internal/terminal"
)

// unseen is a row of what could not be seen.
type unseen struct{ What, Value, Meaning string }

// unseen says what could not be seen, and what follows from it.
func (v *view) unseen() (all []unseen) {
	q := &v.Quality
	add := func(what, value, meaning string) { all = append(all, unseen{what, value, meaning}) }
	if q.Ended != "" {
		add("Ended early", q.Ended, "What follows in the captures was not read.")
	}
	for _, o := range q.Obstacles {
		add("Obstacle", o, "That nothing was found does not mean that nothing happened.")
	}
	if len(q.Selection) > 0 {
		add("Selection", strings.Join(q.Selection, "; "), "The examiner chose a part of the captures. The report has nothing of the rest.")
		add("Packets not read", terminal.Counted(q.FramesCut, "packet")+" of "+terminal.Grouped(v.Totals.Packets), "They are outside the selection.")
	}
	add("One direction", fmt.Sprintf("%.1f %% of the TCP sessions", 100*q.OneWayShare), "Of these sessions only one direction was captured, so it is not known what the other side answered.")
	add("Gaps", fmt.Sprintf("%.1f %% of the acknowledged bytes", 100*q.GapShare), "These bytes arrived at the receiver, but the capture does not have them.")
	add("Duplicates", fmt.Sprintf("%.1f %% of the TCP packets", 100*q.DuplicateShare), "They were captured more than once, and are counted once.")
	add("Undecoded frames", undecoded(q.Undecoded), "They are malformed, cut short, or of a kind that the program does not decode.")
	add("Not watched", terminal.Duration(time.Duration(q.Unwatched)*time.Second), "Time within the captures without packets, for longer than this network is ever quiet.")
	for _, p := range q.Pauses[:min(len(q.Pauses), rowsPauses)] {
		add("Pause", v.timePtr(&p.From)+" to "+v.timePtr(&p.To), "No capture covers these "+terminal.Duration(time.Duration(p.To-p.From))+".")
	}
	if n := q.PausesTotal - min(len(q.Pauses), rowsPauses); n > 0 {
		add("Pauses", fmt.Sprintf("and %d more", n), "No capture covers these times.")
	}
	for _, d := range q.Damage[:min(len(q.Damage), rowsDamage)] {
		add("Damage", d, "What follows in this file was not read.")
	}
	if n := len(q.Damage) - rowsDamage; n > 0 {
		add("Damage", fmt.Sprintf("and %d more", n), "What follows in these files was not read.")
	}
	for _, name := range slices.Sorted(maps.Keys(q.Evicted)) {
		add("Full table", fmt.Sprintf("%s: %s", strings.ReplaceAll(name, "_", " "), terminal.Grouped(q.Evicted[name])), "A table was full, so that these were dropped and are not in the report.")
	}
	return all
}

func undecoded(all map[string]uint64) string {
	total := uint64(0)
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		total += all[name]
		parts = append(parts, terminal.Grouped(all[name])+" "+strings.ReplaceAll(name, "_", " "))
	}
	text := terminal.Counted(total, "frame")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}

// glossary explains the words of the page.
func glossary() []term {
	return []term{
		{"Absorbed", "An alert that another alert tells in full. It is listed, and needs no decision of its own."},
		{"Alert", "A message of the program about one thing that a device did or that was done to it. Its severity goes from informational to critical."},
		{"Capture", "A file with copies of the packets that passed a place in the network, each with the time at which it passed."},
		{"Capture clock", "The time stamps in the captures. The program uses no other clock; if the clock of the capturing machine was wrong, the times in the report are wrong by as much."},
		{"Device", "A machine in the watched networks. It is identified by its MAC address, or behind a router by its IP address."},
		{"Expectation", "What a device should do: open no sessions (silent), only answer (server only), only listed sessions (allowlist), or anything (normal)."},
		{"Host outside", "A machine outside the watched networks, such as one on the internet."},
		{"Incident", "Alerts that belong to one attack or one cause."},
		{"Initiator", "Who opened a session. The other side is the responder."},
		{"MAC address", "The hardware address of a network interface. It can be forged."},
		{"Mirror port", "A port of a switch that sends copies of packets to the capturing machine."},
		{"Packet", "The unit in which data passes through a network; on the wire, with its envelope, a frame."},
		{"Probability", "How likely the incident is an attack, computed from the alerts. It is an estimate of the program and not a finding of fact."},
		{"Role", "What kind of device it is, such as camera, recorder (NVR) or server, with the level of the identification: identified, probable, hint or unknown."},
		{"Scan", "Calls to many hosts or ports, to find out which of them answer."},
		{"Session", "All packets between the same two addresses, ports and protocol that belong together."},
		{"SHA-256", "A checksum of 64 hexadecimal digits. If one bit of a file changes, its checksum is another one."},
		{"Stage", "A part of an attack: exposure, scan, guess (of passwords), login, discovery (of other devices), outbound (sessions to the outside), control, fan-out, manipulation, upload."},
		{"Stepping stone", "A device that was attacked and from which others are then attacked."},
		{"Suppressed", "An alert about something that an analyst allowed with a policy."},
	}
}
