// SPDX-License-Identifier: Apache-2.0

package device

import (
	"bytes"
	"encoding/binary"
	"slices"

	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

const (
	answersPart  = "answers/1" // a change of answers.slot changes the format
	gatewaysPart = "gateways/1"
)

// part returns the UDP ports of services as a part of a snapshot, so that an answer is known to be one after a restart. The key of a
// record is the slot of its port, so there are never more records than slots.
func (x *answers) part() snapshot.Part {
	x.saving = true
	return snapshot.Part{Name: answersPart, Drain: x.drain, Restore: x.restore}
}

func (x *answers) drain(b *snapshot.Batch, limit int) (n int) {
	for ; n < limit && len(x.unsaved) > 0; n++ {
		last := len(x.unsaved) - 1
		slot := x.unsaved[last]
		x.unsaved = x.unsaved[:last]
		p := &x.ports[slot]
		p.unsaved = false
		c := b.Put(answersPart)
		c.Raw(binary.BigEndian.AppendUint16(nil, slot))
		b.Value()
		p.walk(c)
		b.End()
	}
	return n
}

func (x *answers) restore(all snapshot.Records) (bad int) {
	for k, v := range all {
		p := answeringPort{}
		c := snapshot.Reader(v)
		p.walk(c)
		slot := x.slot(&p.portKey)
		if c.Done() != nil || !bytes.Equal(k, binary.BigEndian.AppendUint16(nil, slot)) {
			bad++
			continue
		}
		x.ports[slot] = p
	}
	return bad
}

func (p *answeringPort) walk(c *snapshot.Codec) {
	c.Raw(p.addr[:])
	c.Raw(p.peer[:])
	snapshot.Number(c, &p.port)
	c.Bool(&p.served)
	list := p.to[:p.n]
	snapshot.List(c, &list, clientPortsOutside, func(port *uint16) { snapshot.Number(c, port) })
	p.n = uint8(copy(p.to[:], list))
	c.Time(&p.last)
}

// walkGateways saves or restores the gateways that DHCP and router advertisements named.
func (r *Registry) walkGateways(c *snapshot.Codec) {
	var list []packet.Addr
	for a := range r.gateways {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b packet.Addr) int { return bytes.Compare(a[:], b[:]) })
	snapshot.List(c, &list, maxGateways, func(a *packet.Addr) { c.Raw(a[:]) })
	if c.Reading() {
		for _, a := range list {
			r.gateways[a] = true
		}
	}
}
