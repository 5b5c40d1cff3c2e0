// SPDX-License-Identifier: Apache-2.0

// Package evidence keeps the latest packets of the devices that it follows, and writes those around an alert as a capture in the format
// pcapng. What it keeps depends on the packets and the calls alone. Its only clock is the capture clock. It is not safe for concurrent use.
package evidence

import (
	"stillwatch/schemas"
	"stillwatch/sensor/internal/packet"
)

// The bounds of the evidence of one alert.
const (
	MaxPackets = 256
	MaxBytes   = schemas.MaxEvidence
	// around is how long before and after the alert packets of the device are evidence, nanoseconds.
	around = 30e9
	// beforeSession and beforeDevice bound the packets from before the alert, so that there is room for those after it.
	beforeSession = 128
	beforeDevice  = 64
	// maxWalk bounds the packets of a device that are looked through for one alert.
	maxWalk = 4096
)

// snapLen is how much of a frame is kept: room for headers and 512 bytes.
const snapLen = 128 + 512

// perSecond is how many packets of one flow are kept in one second of the capture clock, so that a video stream does not displace all else.
const perSecond = 32

// maxJobs bounds the alerts that wait for the packets after them, and maxFollowed the devices.
const (
	maxJobs     = 128
	maxFollowed = 50_000
)

// Frame is a frame as it was captured, with the packet that was decoded from it.
type Frame struct {
	Packet  *packet.Packet
	Link    packet.LinkType
	Data    []byte
	OrigLen uint32
}

// Alert is an alert that needs evidence.
type Alert struct {
	ID, Rule, Name string // Name of the rule
	Device         uint32
	Now            int64  // capture clock when it was decided
	Num            uint64 // packet with which it was decided; 0 if none
	// The session of the finding. Flow is its FlowOf, Peer the address of the other end, First the number of its first packet, and Counted its
	// packets so far. App is the name of its protocol, "" if not known. HasSession is false if the finding is not about one session.
	HasSession bool
	Flow       uint64
	Peer       packet.Addr
	First      uint64
	Counted    uint64
	App        string
}

// File is the evidence of one alert.
type File struct {
	Alert   string
	At      int64  // capture clock when the alert was decided
	SHA256  string // of Data, in hexadecimal: the name of the file
	Data    []byte // pcapng
	Packets int
	Summary string // what the file has and what it lacks, one line
}

// FileName returns the name under which the file is stored.
func (f *File) FileName() string { return f.SHA256 + ".pcapng" }

// Stats counts what a recorder did.
type Stats struct {
	Kept        uint64 // packets that were put into the ring
	Overwritten uint64 // of these, packets that newer ones replaced
	Thinned     uint64 // packets of busy flows that were not kept
	Files       uint64
	Refused     uint64 // alerts without evidence because too many were waiting
	Unfollowed  uint64 // devices that were not followed because there were too many
}

// Recorder keeps packets and collects evidence.
type Recorder struct {
	memory  int
	ring    *ring // nil until a device is followed
	devices map[uint32]*followed
	byAddr  map[packet.Addr]*followed
	byMAC   map[packet.MAC]*followed
	filter  [1 << 10]uint64 // of IPv4 addresses: one bit for each hash
	flows   []flow
	jobs    []*job // oldest first
	stats   Stats
	hider   hider
}

// flow is what is known of the flow whose hash selects the slot. Another flow in the same slot replaces it: it then keeps more packets, and
// shows less of them.
type flow struct {
	hash  uint64
	sec   int64 // second in which count packets were kept
	from  int64 // when the session began that shown describes
	shown shown // of app
	count uint32
}

const flowSlots = 1 << 14 // a power of two

// New returns a recorder with so many bytes of memory for packets. It takes the memory when the first device is followed.
func New(memory int) *Recorder {
	return &Recorder{memory: memory, devices: map[uint32]*followed{}, byAddr: map[packet.Addr]*followed{}, byMAC: map[packet.MAC]*followed{}}
}

// Stats returns the counts so far.
func (r *Recorder) Stats() Stats { return r.stats }

// FlowOf returns the hash of the flow between two endpoints, in either direction. It is Packet.FlowHash of its packets.
func FlowOf(a, b packet.Addr, portA, portB uint16, proto uint8, ports bool) uint64 {
	p := packet.Packet{Src: a, Dst: b, Proto: proto, HasIP: true, Kind: packet.KindIP}
	if ports {
		p.SrcPort, p.DstPort, p.Kind = portA, portB, packet.KindTCP // the kind selects that ports count
	}
	return p.FlowHash()
}

// Label says which protocol a flow has from the time from on; "" if it is not known.
func (r *Recorder) Label(hash uint64, app string, from int64) {
	if r.flows == nil {
		return
	}
	f := &r.flows[hash%flowSlots]
	if f.hash != hash {
		*f = flow{hash: hash}
	}
	f.shown, f.from = shownOf(app), from
}

// Add offers a frame, in the order of the capture and after the label of its flow. It is kept if it is from or to a followed device.
func (r *Recorder) Add(x *Frame) {
	from, to := r.ends(x.Packet)
	if from == nil && to == nil {
		return
	}
	if from == to {
		to = nil
	}
	hash := x.Packet.FlowHash()
	if r.busy(x.Packet, hash) {
		r.stats.Thinned++
		return
	}
	r.stats.Kept++
	h := held{time: x.Packet.Time, num: x.Packet.Num, flow: hash, orig: x.OrigLen, captured: uint32(len(x.Data)), link: x.Link}
	for i, f := range [...]*followed{from, to} {
		if f != nil {
			h.of[i], h.prev[i] = f.id, f.last
		}
	}
	// Secrets are overwritten at once, so that the memory for packets does not keep them.
	seq := r.ring.add(&h, x.Data[:min(len(x.Data), snapLen)], r)
	e := r.ring.entry(seq)
	n, did := r.hider.hide(r.ring.bytes(e), x.Link, x.OrigLen, r.shown(hash, h.time))
	e.size, e.hidden = uint16(n), did
	var k *kept
	for _, f := range [...]*followed{from, to} {
		if f == nil {
			continue
		}
		f.last = seq
		for _, j := range f.jobs {
			if k == nil && j.wants(e) {
				k = keep(e, r.ring.bytes(e))
			}
			j.after(k, e)
		}
	}
}

// ends returns the followed devices that sent and received a packet, nil for others.
func (r *Recorder) ends(p *packet.Packet) (from, to *followed) {
	if p.HasIP {
		return r.byAddr[p.Src], r.byAddr[p.Dst]
	}
	return r.byMAC[p.SrcMAC], r.byMAC[p.DstMAC]
}

// busy counts a packet of a flow, and reports whether enough of them were kept in this second. Packets that begin or end a session are kept.
func (r *Recorder) busy(p *packet.Packet, hash uint64) bool {
	f := &r.flows[hash%flowSlots]
	if f.hash != hash {
		*f = flow{hash: hash}
	}
	if sec := p.Time / 1e9; f.sec != sec {
		f.sec, f.count = sec, 0
	}
	f.count++
	return f.count > perSecond && (p.Kind != packet.KindTCP || p.TCPFlags&(packet.SYN|packet.FIN|packet.RST) == 0)
}
