// SPDX-License-Identifier: Apache-2.0

package session

import (
	"testing"

	"stillwatch/sensor/internal/packet"
)

// A segment of the head that comes again after the rest was counted still fills its hole, as it does when nothing is shunted.
func TestCountsLeaveTheHeadOpen(t *testing.T) {
	r := &recorder{want: more}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	_, ps := segments(tab, message, 5)
	for i, p := range ps {
		if i != 3 {
			tab.Add(p)
		}
	}
	p := ps[3]
	tab.AddCounts(&packet.Counts{
		A: p.Src, B: p.Dst, PortA: p.SrcPort, PortB: p.DstPort, Proto: protoTCP, Last: p.Time,
		Packets: [2]uint64{7, 0}, IPBytes: [2]uint64{7 * 1040, 0}, PayloadBytes: [2]uint64{7 * 1000, 0}, End: [2]uint32{p.Seq + 20000, 0},
	}, p.Num)
	tab.Add(p)
	if got := r.streams["1/0"]; got != message {
		t.Errorf("%q", got)
	}
}
