// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"cmp"
	"maps"
	"slices"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/evidence"
	"stillwatch/sensor/internal/packet"
)

// A device with an alert is followed for alertFollow nanoseconds: while its incident is open. Every reviewEvery seconds the devices that need
// not be followed any more are dropped.
const (
	alertFollow = 86400e9
	reviewEvery = 3600
)

// packetKeeper offers the frames of the blocks to the recorder of evidence, in the order of the run and interleaved with the events: a frame is
// offered after the events of its packet. So what is kept does not depend on shards, blocks, or how far the reader is ahead. The zero value
// keeps nothing.
type packetKeeper struct {
	rec     *evidence.Recorder // nil: no evidence is written
	finding *detect.Finding    // being processed by the alert manager
	num     uint64             // of the packet whose event is being handled; 0 at a tick
	review  int64              // second of the next review
	devices map[uint32]*device.Device
	failed  uint64 // files of a live run that could not be written

	b        *block
	next     [Partitions]int // index of the next brief, by shard
	found    []found         // scratch of until
	packet   packet.Packet   // scratch of until
	shunted  int             // index of the next of b.batch.Counts
	position uint64          // packets up to this one were offered, or nothing was followed then
}

// found is a packet that may be kept.
type found struct {
	brief *packet.Brief
	num   uint64
}

// begin starts a block.
func (k *packetKeeper) begin(b *block) {
	k.b, k.shunted, k.next = b, 0, [Partitions]int{}
	k.position = max(k.position, b.num)
}

// until offers the frames of the block before packet num.
func (k *packetKeeper) until(num uint64) {
	if k.rec == nil || !k.rec.Active() {
		if num <= 1<<62 {
			k.position = max(k.position, num-1)
		}
		return
	}
	k.found = k.found[:0]
	for i := range k.b.shards {
		k.scan(i, num)
	}
	slices.SortFunc(k.found, func(a, b found) int { return cmp.Compare(a.num, b.num) })
	for _, x := range k.found {
		k.offer(x)
	}
	if num <= 1<<62 {
		k.position = max(k.position, num-1)
	}
}

// scan collects the packets of a shard before packet num that may be kept.
func (k *packetKeeper) scan(shard int, num uint64) {
	b, briefs := k.b, k.b.shards[shard].briefs
	i := k.next[shard]
	for ; i < len(briefs); i++ {
		x := &briefs[i]
		n := b.num + uint64(x.Num)
		if n >= num {
			break
		}
		if n <= k.position {
			continue
		}
		if x.Plain() {
			if src, dst := x.Ends(); !k.rec.May(src) && !k.rec.May(dst) {
				continue
			}
		}
		k.found = append(k.found, found{x, n})
	}
	k.next[shard] = i
}

// offer offers a frame to the recorder.
func (k *packetKeeper) offer(x found) {
	b := k.b
	i := k.frame(x.brief.Num)
	if i < 0 || i >= len(b.batch.Frames) {
		return
	}
	f := &b.batch.Frames[i]
	data := b.batch.Data[f.Off : f.Off+f.Len]
	p := &k.packet
	if x.brief.Plain() {
		x.brief.Packet(p, data)
		p.Num = x.num
	} else {
		p = &b.packets[x.brief.At]
	}
	k.rec.Add(&evidence.Frame{Packet: p, Link: f.Link, Data: data, OrigLen: f.OrigLen})
}

// frame returns the index of the frame of packet num of the block. Counts of the kernel have numbers, too.
func (k *packetKeeper) frame(num uint32) int {
	counts := k.b.batch.Counts
	for k.shunted < len(counts) && int64(counts[k.shunted].Before) <= int64(num)-2-int64(k.shunted) {
		k.shunted++
	}
	return int(num) - 1 - k.shunted
}

// startEvidence takes the memory for evidence if it has an output.
func (c *correlator) startEvidence() {
	if c.out.Evidence != nil && c.cfg.Settings.EvidenceMemory > 0 {
		c.keeper.rec, c.keeper.devices = evidence.New(c.cfg.Settings.EvidenceMemory), map[uint32]*device.Device{}
	}
}

// followEvent follows the devices of an event of which something is expected, and notes the protocol of a session.
func (c *correlator) followEvent(e *detect.Event) {
	if c.keeper.rec == nil {
		return
	}
	v := e.Session
	switch e.Kind {
	case detect.LinkFact:
		c.follow(e.Initiator, packet.Addr{})
		return
	case detect.SessionOpened, detect.SessionState:
		c.follow(e.Initiator, v.Initiator.Addr)
		c.follow(e.Responder, v.Responder.Addr)
	}
	if rec := c.keeper.rec; (e.Kind == detect.SessionOpened || e.Named) && (rec.Touches(v.Initiator.Addr) || rec.Touches(v.Responder.Addr)) {
		if app := appName(e); app != "" || e.Kind == detect.SessionOpened {
			rec.Label(flowOf(e), app, v.Start)
		}
	}
}

func appName(e *detect.Event) string {
	if e.App == nil {
		return ""
	}
	return e.App.Name
}

func flowOf(e *detect.Event) uint64 {
	v := e.Session
	return evidence.FlowOf(v.Initiator.Addr, v.Responder.Addr, v.Initiator.Port, v.Responder.Port, v.Proto, v.HasPorts)
}

// follow keeps the packets of a device from now on if something is expected of it.
func (c *correlator) follow(d *device.Device, a packet.Addr) {
	if d == nil || a != (packet.Addr{}) && c.keeper.rec.Follows(d.ID, a) || !c.expects(d) {
		return
	}
	c.keeper.devices[d.ID] = d
	c.keeper.rec.Follow(d.ID, a, ownMAC(d))
}

func (c *correlator) expects(d *device.Device) bool {
	x, _ := c.contracts.Expect(d, c.ctx.Now)
	return x != contract.Normal
}

// ownMAC returns the MAC of a device, zero for a router, which forwards for others.
func ownMAC(d *device.Device) packet.MAC {
	if d.Router {
		return packet.MAC{}
	}
	return d.MAC
}

// collect begins to collect the evidence of a new alert.
func (c *correlator) collect(a *schemas.Alert) {
	k := &c.keeper
	f := k.finding
	if k.rec == nil || f == nil || f.Device == nil {
		return
	}
	d := f.Device
	if d.Key != a.Device.Key {
		if d = c.reg.ByKey(a.Device.Key); d == nil {
			return
		}
	}
	k.devices[d.ID] = d
	for _, ip := range d.IPs {
		k.rec.Follow(d.ID, packet.AddrOf(ip), ownMAC(d))
	}
	k.rec.Hold(d.ID, c.ctx.Now+alertFollow)
	x := evidence.Alert{ID: a.ID, Rule: a.Rule.ID, Name: a.Rule.Name, Device: d.ID, Now: c.ctx.Now, Num: k.num}
	if v := f.Session; v != nil && a.Session != nil {
		x.HasSession, x.First, x.Counted = true, v.ID, v.Packets[0]+v.Packets[1]
		x.Flow = flowOf(&detect.Event{Session: v})
		x.Peer = v.Responder.Addr
		if d.HasIP(x.Peer.Netip()) {
			x.Peer = v.Initiator.Addr
		}
		x.App = appName(&detect.Event{App: f.App})
	}
	if k.rec.Start(x) {
		c.alerts.ExpectPackets()
	}
}

// evidence writes the evidence that is complete at now; all writes also what waits for further packets.
func (c *correlator) evidence(now int64, all bool) {
	k := &c.keeper
	if k.rec == nil {
		return
	}
	for _, f := range k.rec.Finish(now, all) {
		pcap := schemas.PCAP{Name: f.FileName(), Packets: f.Packets, SHA256: f.SHA256}
		if !c.alerts.AttachPackets(f.Alert, pcap, f.Summary) || c.failed != nil {
			continue
		}
		if err := c.out.Evidence(f); c.cfg.Replay {
			c.check(err)
		} else if err != nil {
			k.failed++ // a sensor goes on without
		}
	}
	if sec := now / 1e9; sec >= k.review && !all {
		k.review = (sec/reviewEvery + 1) * reviewEvery
		k.rec.Review(now, func(id uint32) bool {
			d := k.devices[id]
			return c.reg.ByKey(d.Key) == d && c.expects(d)
		})
		maps.DeleteFunc(k.devices, func(id uint32, _ *device.Device) bool { return !k.rec.Following(id) })
	}
}

// stats returns the counts of the recorder.
func (k *packetKeeper) stats() evidence.Stats {
	if k.rec == nil {
		return evidence.Stats{}
	}
	return k.rec.Stats()
}
