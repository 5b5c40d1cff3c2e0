// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"stillwatch/sensor/internal/packet"
)

// Obstacle is why a run could not have found anything, so that no alert does not mean that all is well.
type Obstacle struct {
	Reason string // one of Obstacles
	Text   string // one line: what was seen, and what to do
}

// Reasons of obstacles.
const (
	noPackets     = "no_packets"
	cutHeaders    = "cut_headers"
	notDecoded    = "not_decoded"
	noInternal    = "no_internal_address"
	detectorsDown = "detectors_off"
)

// Obstacles returns all reasons, in the order of docs/replay.md.
func Obstacles() []string {
	return []string{noPackets, cutHeaders, notDecoded, noInternal, detectorsDown}
}

// cutShare is the share of frames with a cut header from which the headers count as cut by the snap length. Malformed packets are rarer.
const cutShare = 0.1

// obstacles returns why the run so far could not have found anything; nil if it could.
func (r *Run) obstacles(s *Summary) (all []Obstacle) {
	add := func(reason, format string, args ...any) {
		all = append(all, Obstacle{reason, fmt.Sprintf(format, args...)})
	}
	c := r.correlator
	v := &c.counts.frames.verdicts
	cut := v[packet.VerdictShortTCP] + v[packet.VerdictShortUDP] + v[packet.VerdictShortIPv4] + v[packet.VerdictShortIPv6]
	switch {
	case s.Packets == 0 && c.cfg.Replay:
		add(noPackets, "the captures have no packet")
	case s.Packets == 0:
		add(noPackets, "no frame has arrived: check the mirror session and the cable; 'stillwatch-sensor doctor' helps")
	case float64(cut) >= cutShare*float64(s.Packets) && c.counts.stats.TCPPackets <= v[packet.VerdictShortTCP]:
		add(cutHeaders, "no TCP header was captured whole, %d of %d frames are cut: capture whole frames (tcpdump -s 0)", cut, s.Packets)
	case v[packet.VerdictOK] == 0:
		add(notDecoded, "no frame has IP or ARP that could be decoded: %s", verdictText(s.Verdicts))
	}
	if text := s.NoInternal(); text != "" {
		add(noInternal, "%s", text)
	}
	if len(c.detectors) == 0 {
		add(detectorsDown, "the configuration disables every detector: see detections in its file")
	}
	return all
}

// NoInternal suggests internal networks if no address of the run was internal; "" if one was.
func (s *Summary) NoInternal() string {
	if len(s.TryInternal) == 0 {
		return ""
	}
	text := "no internal address; try"
	for _, p := range s.TryInternal {
		text += " --internal " + p.String()
	}
	return text
}

// verdictText returns the number of frames by verdict, most frequent first.
func verdictText(n map[string]uint64) string {
	names := slices.SortedFunc(maps.Keys(n), func(a, b string) int {
		return cmp.Or(cmp.Compare(n[b], n[a]), strings.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%d %s", n[name], name))
	}
	return strings.Join(parts, ", ")
}
