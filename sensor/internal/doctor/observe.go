// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/packet"
)

// The limits of the tables. What exceeds them is counted as unfollowed.
const (
	maxHosts   = 1 << 14
	maxFlows   = 1 << 16
	maxVLANs   = 256
	maxTunnels = 256
)

// backSlack is how far time stamps may go back, nanoseconds: the rings of several processors are read one after another.
const backSlack = 200e6

// Observer counts the properties of frames that show the quality of the mirror.
type Observer struct {
	Port *Port // nil: the frames come from a file

	t       Traffic
	p       packet.Packet
	second  int64
	inSec   struct{ frames, bytes uint64 }
	first   int64
	last    int64
	vlans   map[string]uint64
	tunnels map[Tunnel]uint64
	dests   map[packet.Addr]struct{}
	hosts   map[packet.Addr]uint64
	verdict [packet.NumVerdicts]uint64
	flows   flowTable
	dups    recentFrames
}

// NewObserver returns an observer for the frames of a port, or of files if port is nil.
func NewObserver(port *Port) *Observer {
	o := &Observer{Port: port, vlans: map[string]uint64{}, tunnels: map[Tunnel]uint64{}, dests: map[packet.Addr]struct{}{}, hosts: map[packet.Addr]uint64{},
		flows: flowTable{}, dups: newRecentFrames()}
	if port != nil {
		o.t.ClockSynced = port.synced
	}
	return o
}

// See adds the frames of a batch.
func (o *Observer) See(b *capture.Batch) {
	for _, f := range b.Frames {
		o.frame(&f, b.Data[f.Off:f.Off+f.Len])
	}
}

func (o *Observer) frame(f *capture.Frame, data []byte) {
	p := &o.p
	p.Time = f.Time
	packet.Decode(p, f.Link, data, f.OrigLen)
	o.clock(f)
	o.t.Largest = max(o.t.Largest, f.OrigLen)
	if o.Port != nil && o.Port.MTU > 0 && int(f.OrigLen) > o.Port.MTU+linkRoom {
		o.t.Merged++
	}
	if p.Truncated {
		o.t.Truncated++
	}
	if p.Verdict != packet.VerdictOK && p.Verdict != packet.VerdictNoNetwork {
		o.verdict[p.Verdict]++
	}
	o.tags(p)
	o.who(p)
	if !p.HasIP {
		return
	}
	switch o.dups.look(p) {
	case sameFrame:
		o.t.Duplicates++
		return // the session already has it
	case samePacket:
		o.t.Routed++
		return
	}
	if p.Kind == packet.KindTCP && p.Frag == packet.FragNone && !o.flows.add(p) {
		o.t.Unfollowed++
	}
}

// linkRoom is the size of a frame beyond the MTU: Ethernet header and two tags.
const linkRoom = 14 + 8

// clock counts frames per second, and time stamps that go back.
func (o *Observer) clock(f *capture.Frame) {
	if o.t.Frames == 0 {
		o.first, o.last, o.second = f.Time, f.Time, f.Time/1e9
	}
	if back := o.last - f.Time; back > backSlack {
		o.t.Backwards++
		o.t.MostBack = max(o.t.MostBack, float64(back)/1e9)
	}
	o.last, o.first = max(o.last, f.Time), min(o.first, f.Time)
	if s := f.Time / 1e9; s != o.second {
		o.second, o.inSec.frames, o.inSec.bytes = s, 0, 0
	}
	o.inSec.frames++
	o.inSec.bytes += uint64(f.OrigLen)
	o.t.PeakFrames, o.t.PeakBytes = max(o.t.PeakFrames, o.inSec.frames), max(o.t.PeakBytes, o.inSec.bytes)
	o.t.Frames++
	o.t.Bytes += uint64(f.OrigLen)
}

// tags counts VLANs and encapsulations.
func (o *Observer) tags(p *packet.Packet) {
	if p.NumVLANs == 0 {
		o.t.Untagged++
	} else {
		o.bounded(countIn(o.vlans, vlanText(p.VLANs[:p.NumVLANs]), maxVLANs))
	}
	for _, x := range p.Tunnels[:p.NumTunnels] {
		k := Tunnel{Type: x.Type.String()}
		if x.HasOuter {
			k.From, k.To = x.Src.NetipOf(x.V6).String(), x.Dst.NetipOf(x.V6).String()
		}
		o.bounded(countIn(o.tunnels, k, maxTunnels))
	}
}

func vlanText(ids []uint16) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(parts, ".")
}

func (o *Observer) bounded(fits bool) {
	if !fits {
		o.t.Unfollowed++
	}
}

// countIn counts k unless the table is full and does not have it.
func countIn[K comparable](m map[K]uint64, k K, most int) bool {
	if _, known := m[k]; !known && len(m) >= most {
		return false
	}
	m[k]++
	return true
}

// who classifies a frame by sender and receiver: the inner ones of an encapsulation, because the outer ones belong to the mirror.
func (o *Observer) who(p *packet.Packet) {
	switch {
	case o.Port != nil && o.Port.takesPart(p):
		o.t.Own++
	case p.HasMAC && p.DstMAC.IsGroup(), p.HasIP && group(p):
		o.t.Group++
	default:
		o.t.Unicast++
		o.parties(p)
	}
}

func group(p *packet.Packet) bool {
	a := p.Dst.NetipOf(p.V6)
	return a.IsMulticast() || a.Is4() && a.As4() == [4]byte{255, 255, 255, 255}
}

// parties records sender and receiver of a frame, by IP address or, without IP, by MAC.
func (o *Observer) parties(p *packet.Packet) {
	src, dst := p.Src, p.Dst
	if !p.HasIP {
		src, dst = macAddr(p.SrcMAC), macAddr(p.DstMAC)
	}
	if _, known := o.dests[dst]; known || len(o.dests) < maxHosts {
		o.dests[dst] = struct{}{}
	}
	o.bounded(countIn(o.hosts, src, maxHosts))
	o.bounded(countIn(o.hosts, dst, maxHosts))
}

// macAddr stores a MAC as an address, in an unused range of IPv6 (::/96, deprecated by RFC 4291).
func macAddr(m packet.MAC) (a packet.Addr) {
	copy(a[10:], m[:])
	a[9] = 1
	return a
}

func hostText(a packet.Addr) string {
	if a[9] == 1 && a[8] == 0 && a[0] == 0 {
		return packet.MAC(a[10:16]).String()
	}
	return a.Netip().String()
}

// Traffic returns the counts so far.
func (o *Observer) Traffic() Traffic {
	t := o.t
	t.Seconds = float64(o.last-o.first) / 1e9
	t.Destinations = len(o.dests)
	for a, n := range o.hosts {
		if n > t.TopFrames || n == t.TopFrames && hostText(a) < t.TopHost {
			t.TopHost, t.TopFrames = hostText(a), n
		}
	}
	t.VLANs, t.Encapsulation, t.Verdicts = []Count{}, []Tunnel{}, map[string]uint64{}
	for what, n := range o.vlans {
		t.VLANs = append(t.VLANs, Count{what, n})
	}
	slices.SortFunc(t.VLANs, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Frames, a.Frames), cmp.Compare(a.What, b.What)) })
	for k, n := range o.tunnels {
		k.Frames = n
		t.Encapsulation = append(t.Encapsulation, k)
	}
	slices.SortFunc(t.Encapsulation, func(a, b Tunnel) int {
		return cmp.Or(cmp.Compare(b.Frames, a.Frames), cmp.Compare(a.Type+a.From+a.To, b.Type+b.From+b.To))
	})
	for v, n := range o.verdict {
		if n > 0 {
			t.Verdicts[packet.Verdict(v).String()] = n
		}
	}
	o.flows.sum(&t)
	return t
}
