// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/binary"
	"slices"

	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// Opening is whether the sender of the first packet of a session opened it. For UDP that is uncertain: the first datagram may be an answer
// to a request that was not captured or went to a group address.
type Opening uint8

// The sender opened the session, answered a request outside it, or perhaps answered one: other datagrams from the same port decide.
const (
	Opens Opening = iota
	Answers
	Unclear
)

// Client ports: from 32768 on Linux, from 49152 elsewhere (RFC 6335 section 6: no service is registered there).
const ephemeral, dynamic = 32768, 49152

const (
	askedNs = 30 * 1e9 // how long a request to a group may be answered
	portNs  = dayNs    // how long the state of a port is kept
	// A port that sends to this many client ports is that of a service. Client ports of external peers must be of one peer, because a
	// device may contact many peers from one port.
	clientPorts, clientPortsOutside = 2, 3
)

// answers is the state that tells answers from requests. Each key has one slot, and the next key there replaces it.
type answers struct {
	asked    [1 << 10]question
	ports    [1 << 12]answeringPort
	sessions [1 << 12]answering
	tags     [1 << 12]uint8 // of sessions: most sessions are not there, and a tag tells so from one cache line for 64 slots

	saving  bool     // changes are tracked for the saved state
	unsaved []uint16 // slots of ports that have changed since they were saved
}

// question is a port from which a request went to a group address.
type question struct {
	addr packet.Addr
	port uint16
	at   int64
}

// answeringPort is a UDP port of a device: whether it answered a request there, and the client ports to which it sent without one.
type answeringPort struct {
	portKey
	served bool
	n      uint8
	to     [clientPortsOutside]uint16
	last   int64

	unsaved bool // its slot is in answers.unsaved
}

// portKey is a port of a device, towards internal peers (peer is zero), all external peers (everybody), or one external peer.
type portKey struct {
	addr, peer packet.Addr
	port       uint16
}

// answering is a session whose first datagram may be an answer.
type answering struct {
	id      uint64
	opening Opening
}

var everybody = packet.Addr{0xff}

// Opening returns whether the initiator opened a session that Session has seen.
func (r *Registry) Opening(v *session.View) Opening {
	if v.Proto != protoUDP {
		return Opens
	}
	x := r.answers.session(v.ID)
	if x == nil {
		return Opens
	}
	if x.opening == Unclear && r.answers.known(r.portKey(v), v.Start) {
		x.opening = Answers
	}
	return x.opening
}

// Clear decides that an unclear session was opened by its initiator, because nothing shows otherwise.
func (r *Registry) Clear(d *Device, v *session.View, now int64) {
	if x := r.answers.session(v.ID); x != nil && x.opening == Unclear {
		x.opening = Opens
		r.changed(d)
		r.originate(d, v, now)
	}
}

// datagrams records what a step of a UDP session says about who requests and who answers.
func (r *Registry) datagrams(step Step, v *session.View, initiator *Device, now int64) {
	x := r.answers
	switch {
	case step == Opened && v.ToGroup():
		if r.InternalAddr(v.Initiator.Addr) {
			*x.askedAt(v.Initiator.Addr, v.Initiator.Port) = question{v.Initiator.Addr, v.Initiator.Port, v.Start}
		}
	case step == Opened && initiator != nil && v.Basis == session.BasisFirstPacket:
		if o := x.opening(r.portKey(v), v); o != Opens {
			x.setSession(v.ID, o)
		}
	case step == StateChanged && v.Packets[session.In] > 0 && x.session(v.ID) == nil:
		r.noteServed(v)
	case step == StateChanged && v.Packets[session.In] > 0 && r.Opening(v) == Unclear: // what was answered was a request
		r.Clear(initiator, v, now)
	}
}

// portKey returns the key of the port that the first datagram came from.
func (r *Registry) portKey(v *session.View) portKey {
	k := portKey{addr: v.Initiator.Addr, port: v.Initiator.Port}
	if !r.InternalAddr(v.Responder.Addr) {
		k.peer = v.Responder.Addr
	}
	return k
}

// noteServed records that the responder answered a request on a port.
func (r *Registry) noteServed(v *session.View) {
	k := portKey{addr: v.Responder.Addr, port: v.Responder.Port}
	if !r.InternalAddr(v.Initiator.Addr) {
		k.peer = everybody
	}
	r.answers.put(k, v.Start).served = true
}

// opening classifies the first datagram of a session.
func (x *answers) opening(k portKey, v *session.View) Opening {
	to := v.Responder
	if q := x.askedAt(to.Addr, to.Port); q.addr == to.Addr && q.port == to.Port && v.Start-q.at <= askedNs {
		return Answers
	}
	if to.Port < 1024 || to.Port < dynamic && session.ServerPort(to.Port) {
		return Opens
	}
	if to.Port >= ephemeral {
		x.put(k, v.Start).note(to.Port)
	}
	if x.known(k, v.Start) {
		return Answers
	}
	if k.inside() && k.port < ephemeral && to.Port >= ephemeral {
		return Unclear
	}
	return Opens
}

// known reports whether a port is known to be that of a service.
func (x *answers) known(k portKey, now int64) bool {
	served, need := k, clientPorts
	if !k.inside() {
		served.peer = everybody
	}
	if !k.inside() || k.port >= ephemeral {
		need = clientPortsOutside
	}
	if p := x.get(k, now); p != nil && int(p.n) >= need {
		return true
	}
	p := x.get(served, now)
	return p != nil && p.served
}

func (k *portKey) inside() bool { return k.peer == packet.Addr{} }

func (p *answeringPort) note(port uint16) {
	if int(p.n) < len(p.to) && !slices.Contains(p.to[:p.n], port) {
		p.to[p.n] = port
		p.n++
	}
}

// slot returns the index in ports of a key.
func (x *answers) slot(k *portKey) uint16 {
	salt := uint64(k.port) ^ binary.LittleEndian.Uint64(k.peer[8:]) ^ uint64(k.peer[0])
	return uint16(place(k.addr, salt) % uint64(len(x.ports)))
}

// get returns the state of a port, nil if there is none.
func (x *answers) get(k portKey, now int64) *answeringPort {
	if p := &x.ports[x.slot(&k)]; p.portKey == k && now-p.last <= portNs {
		return p
	}
	return nil
}

// put returns the state of a port that is used now, replacing another port in its slot.
func (x *answers) put(k portKey, now int64) *answeringPort {
	slot := x.slot(&k)
	p := &x.ports[slot]
	if p.portKey != k || now-p.last > portNs {
		*p = answeringPort{portKey: k, unsaved: p.unsaved}
	}
	p.last = now
	if x.saving && !p.unsaved {
		x.unsaved, p.unsaved = append(x.unsaved, slot), true
	}
	return p
}

func (x *answers) askedAt(a packet.Addr, port uint16) *question {
	return &x.asked[place(a, uint64(port))%uint64(len(x.asked))]
}

// session returns what is kept of a session, nil if nothing is: its initiator opened it.
func (x *answers) session(id uint64) *answering {
	i := id % uint64(len(x.sessions))
	if s := &x.sessions[i]; x.tags[i] == sessionTag(id) && s.id == id {
		return s
	}
	return nil
}

func (x *answers) setSession(id uint64, o Opening) {
	i := id % uint64(len(x.sessions))
	x.sessions[i], x.tags[i] = answering{id, o}, sessionTag(id)
}

// sessionTag is never the tag of an empty slot.
func sessionTag(id uint64) uint8 { return uint8(id>>12) | 1 }

// place hashes an address and a salt to 24 bits. The last bytes of the address are the upper bits of h, which a product moves out of the
// result: they are folded down first, so that the hosts of a subnet do not share one slot.
func place(a packet.Addr, salt uint64) uint64 {
	h := (binary.LittleEndian.Uint64(a[:8]) ^ binary.LittleEndian.Uint64(a[8:])) + salt*0xbb67ae8584caa73b
	h ^= h >> 32
	return h * 0x9e3779b97f4a7c15 >> 40
}
