// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"

	"stillwatch/sensor/internal/packet"
)

// flowTable tracks TCP sessions, to find sessions with packets of one side only and acknowledged bytes that were not observed.
type flowTable map[flowKey]*flow

type flowKey struct {
	a, b   packet.Addr
	pa, pb uint16
}

type flow struct{ dir [2]direction }

type direction struct {
	acks          uint32 // packets with ACK; an unanswered scan has none
	next          uint32 // sequence number after the last byte that was observed or acknowledged
	ack           uint32 // the last acknowledgement of this side's bytes
	gapFrom       uint32 // the last gap; its bytes may still arrive, because mirrors reorder packets of two ports
	gapTo         uint32
	known         bool
	ackKnown      bool
	acked, missed uint64
}

// enoughAcks is the number of packets with ACK from one side after which the other side counts as missing.
const enoughAcks = 3

// mostMissed is the largest step that counts as a gap, bytes. A larger one is another session or a damaged packet.
const mostMissed = 1 << 26

// add adds a TCP packet and reports whether its session is tracked.
func (t flowTable) add(p *packet.Packet) bool {
	k, d := keyOf(p)
	f := t[k]
	if f == nil {
		if len(t) >= maxFlows {
			return false
		}
		f = &flow{}
		t[k] = f
	}
	mine, other := &f.dir[d], &f.dir[1-d]
	mine.sent(p)
	if p.TCPFlags&packet.ACK != 0 && p.TCPFlags&packet.RST == 0 {
		mine.acks++
		other.acknowledged(p.Ack)
	}
	return true
}

func keyOf(p *packet.Packet) (flowKey, int) {
	if c := bytes.Compare(p.Src[:], p.Dst[:]); c < 0 || c == 0 && p.SrcPort <= p.DstPort {
		return flowKey{p.Src, p.Dst, p.SrcPort, p.DstPort}, 0
	}
	return flowKey{p.Dst, p.Src, p.DstPort, p.SrcPort}, 1
}

// sent advances to the end of a packet. SYN and FIN use one sequence number each (RFC 9293 section 3.4).
func (d *direction) sent(p *packet.Packet) {
	end := p.Seq + p.PayloadLen
	if p.TCPFlags&packet.SYN != 0 {
		end++
		*d = direction{acks: d.acks, acked: d.acked, missed: d.missed}
	}
	if p.TCPFlags&packet.FIN != 0 {
		end++
	}
	if p.PayloadLen > 0 && int32(p.Seq-d.gapFrom) >= 0 && int32(d.gapTo-end) >= 0 {
		d.missed -= min(d.missed, uint64(p.PayloadLen))
	}
	if !d.known || int32(end-d.next) > 0 {
		d.next, d.known = end, true
	}
}

// acknowledged compares the bytes that the receiver has with those that were observed.
func (d *direction) acknowledged(ack uint32) {
	if !d.known { // no packet of this side yet
		return
	}
	if step := int32(ack - d.ack); d.ackKnown && step > 0 && step < mostMissed {
		d.acked += uint64(step)
	}
	if !d.ackKnown || int32(ack-d.ack) > 0 {
		d.ack, d.ackKnown = ack, true
	}
	if gap := int32(ack - d.next); gap > 0 && gap < mostMissed {
		d.missed += uint64(gap)
		d.gapFrom, d.gapTo, d.next = d.next, ack, ack
	}
}

// sum adds the sessions to the counts.
func (t flowTable) sum(to *Traffic) {
	for _, f := range t {
		a, b := &f.dir[0], &f.dir[1]
		switch {
		case a.known && b.known && a.acks > 0 && b.acks > 0:
			to.TCPSessions++
		case max(a.acks, b.acks) >= enoughAcks:
			to.TCPSessions++
			to.OneWay++
		}
		to.AckedBytes += a.acked + b.acked
		to.MissedBytes += a.missed + b.missed
	}
}
