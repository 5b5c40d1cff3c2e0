// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/packet"
)

// office is a small network: ten machines ask two servers and the outside by TLS and DNS.
func office() []netsim.Frame {
	n := netsim.New(7)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	web := n.Host("web", "10.20.1.80", "b8:ca:3a:00:00:80", netsim.Linux)
	far := n.External("198.51.100.23", netsim.Linux, 20*time.Millisecond)
	for i := range 10 {
		pc := n.Host(fmt.Sprintf("pc-%d", i), fmt.Sprintf("10.20.1.%d", 100+i), fmt.Sprintf("b8:ca:3a:00:01:%02x", i), netsim.Linux)
		at = n.ARP(at, pc, web)
		for _, peer := range []*netsim.Host{web, far} {
			c := n.DialTLS(at, pc, peer, 443, netsim.TLSClient{SNI: "www.example.com"}, netsim.TLSServer{})
			c.Records(netsim.Client, 3000)
			c.Records(netsim.Server, 60000)
			c.Close()
			at = at.Add(300 * time.Millisecond)
		}
	}
	return n.Frames()
}

// slice is a source of frames.
type slice struct {
	frames []netsim.Frame
	at     int
}

func (s *slice) Next(b *capture.Batch) error {
	b.Data, b.Frames = b.Data[:0], b.Frames[:0]
	for ; s.at < len(s.frames) && len(b.Frames) < 64; s.at++ {
		f := s.frames[s.at]
		b.Frames = append(b.Frames, capture.Frame{Time: f.Time.UnixNano(), Off: uint32(len(b.Data)), Len: uint32(len(f.Data)), OrigLen: uint32(f.Len), Link: packet.LinkEthernet})
		b.Data = append(b.Data, f.Data...)
	}
	if len(b.Frames) == 0 {
		return io.EOF
	}
	return nil
}

func (s *slice) Stats() capture.Stats { return capture.Stats{} }
func (s *slice) Close() error         { return nil }

func edit(f func(i int, x netsim.Frame) []netsim.Frame) func([]netsim.Frame) []netsim.Frame {
	return func(all []netsim.Frame) (out []netsim.Frame) {
		for i, x := range all {
			out = append(out, f(i, x)...)
		}
		return out
	}
}

// tagged adds a VLAN tag to a frame.
func tagged(x netsim.Frame, id uint16) netsim.Frame {
	tag := []byte{0x81, 0x00, byte(id >> 8), byte(id)}
	x.Data, x.Len = slices.Concat(x.Data[:12], tag, x.Data[12:]), x.Len+4
	return x
}

// routed is a frame on the other side of a router: other MACs, hop limit one less.
func routed(x netsim.Frame) netsim.Frame {
	x.Data = bytes.Clone(x.Data)
	copy(x.Data, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2})
	x.Data[22]--
	x.Time = x.Time.Add(20 * time.Microsecond)
	return x
}

func isIP(x netsim.Frame) bool { return binary.BigEndian.Uint16(x.Data[12:]) == 0x0800 }

// wrapped returns a frame in VXLAN, as AWS and others send it.
func wrapped(t *testing.T, x netsim.Frame) netsim.Frame {
	t.Helper()
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: []byte{192, 0, 2, 1}, DstIP: []byte{192, 0, 2, 9}}
	udp := &layers.UDP{SrcPort: 65000, DstPort: 4789}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: []byte{2, 0, 0, 0, 0, 3}, DstMAC: []byte{2, 0, 0, 0, 0, 9}, EthernetType: layers.EthernetTypeIPv4}, ip, udp,
		&layers.VXLAN{ValidIDFlag: true, VNI: 77}, gopacket.Payload(x.Data))
	if err != nil {
		t.Fatal(err)
	}
	x.Data, x.Len = b.Bytes(), len(b.Bytes())
	return x
}

func yes() *bool { v := true; return &v }
func no() *bool  { v := false; return &v }

func goodPort() *Port {
	return &Port{Name: "span0", MTU: 1500, Up: true, Running: true, Addresses: []string{}, GRO: no(), LRO: no(), mac: packet.MAC{2, 0, 0, 0, 0, 9}, Counters: Counters{Received: 10000}, Modes: []Mode{{"offload", "the card does not"}, {"native", ""}, {"generic", ""}}}
}

type expected struct {
	level Level
	found string // part of it
	fix   string // part of it, "" for none
}

func cases(t *testing.T) []struct {
	name string
	port func(*Port)
	edit func([]netsim.Frame) []netsim.Frame
	want map[string]expected // the others are ok
} {
	onPort := func(*Port) {}
	type m = map[string]expected
	only := func(keep func(netsim.Frame) bool) func([]netsim.Frame) []netsim.Frame {
		return edit(func(_ int, x netsim.Frame) []netsim.Frame {
			if keep(x) {
				return []netsim.Frame{x}
			}
			return nil
		})
	}
	return []struct {
		name string
		port func(*Port)
		edit func([]netsim.Frame) []netsim.Frame
		want map[string]expected
	}{
		{name: "good capture"},
		{name: "good port", port: onPort},
		{name: "nothing", port: onPort, edit: only(func(netsim.Frame) bool { return false }),
			want: m{CheckTraffic: {Problem, "no frame arrives", "mirror session"}}},
		{name: "down", port: func(p *Port) { p.Up = false }, want: m{CheckTraffic: {Problem, "span0 is down", "ip link set span0 up"}}},
		{name: "no link", port: func(p *Port) { p.Running = false }, want: m{CheckTraffic: {Problem, "no link", "cable"}}},
		{name: "only broadcast", edit: only(func(x netsim.Frame) bool { return x.Data[0]&1 == 1 }), want: m{
			CheckMirror: {Problem, "no mirror", "destination of a mirror session"}, CheckDirections: {Note, "too few", ""}, CheckGaps: {Note, "not measured", ""}}},
		{name: "own traffic", port: func(p *Port) { p.mac = packet.MAC{0xb8, 0xca, 0x3a, 0, 1, 0} }, edit: only(func(x netsim.Frame) bool {
			own := []byte{0xb8, 0xca, 0x3a, 0, 1, 0}
			return bytes.Equal(x.Data[:6], own) || bytes.Equal(x.Data[6:12], own)
		}), want: m{CheckMirror: {Problem, "no mirror", "destination"}, CheckDirections: {Note, "2 TCP sessions", ""}}},
		{name: "delivered to the port by a cloud", port: func(p *Port) {
			p.addrs = []packet.Addr{packet.AddrFrom4([]byte{10, 9, 9, 9})}
		}, edit: edit(func(_ int, x netsim.Frame) []netsim.Frame {
			x.Data = bytes.Clone(x.Data)
			copy(x.Data, []byte{2, 0, 0, 0, 0, 9}) // the MAC of the port
			return []netsim.Frame{x}
		})},
		{name: "one machine", edit: only(func(x netsim.Frame) bool {
			return isIP(x) && (x.Data[29] == 100 || x.Data[33] == 100)
		}), want: m{CheckMirror: {Note, "10.20.1.100 takes part", ""}, CheckDirections: {Note, "2 TCP sessions", ""}}},
		{name: "one way", edit: only(func(x netsim.Frame) bool { return !isIP(x) || x.Data[29] >= 100 }), want: m{
			CheckDirections: {Problem, "100 % have packets in one direction", "both directions"}, CheckGaps: {Note, "not measured", ""}}},
		{name: "one conversation", edit: only(func(x netsim.Frame) bool { return isIP(x) && x.Data[29]+x.Data[33] == 180 }), want: m{
			CheckMirror: {Warning, "to 2 destinations: one conversation", "add its ports"}, CheckDirections: {Note, "1 TCP session:", ""}}},
		{name: "one machine one way", edit: only(func(x netsim.Frame) bool { return !isIP(x) || x.Data[29] != 104 }),
			want: m{CheckDirections: {Warning, "10 % have packets in one direction", "both directions"}}},
		{name: "losses", edit: edit(func(i int, x netsim.Frame) []netsim.Frame {
			if i%50 == 49 && len(x.Data) > 1000 {
				return nil
			}
			return []netsim.Frame{x}
		}), want: m{CheckGaps: {Warning, "are missing", "mirror loses"}}},
		{name: "reordered by the mirror", edit: func(all []netsim.Frame) []netsim.Frame {
			all = slices.Clone(all)
			for i := 1; i < len(all); i += 2 {
				all[i-1].Data, all[i].Data = all[i].Data, all[i-1].Data
				all[i-1].Len, all[i].Len = all[i].Len, all[i-1].Len
			}
			return all
		}},
		{name: "tags", edit: edit(func(i int, x netsim.Frame) []netsim.Frame {
			return []netsim.Frame{tagged(tagged(x, 10), uint16(100+i%2))}
		}), want: m{CheckVLANs: {OK, "2 VLANs: 100.10 (50 %), 101.10", ""}}},
		{name: "VXLAN", port: onPort, edit: edit(func(_ int, x netsim.Frame) []netsim.Frame { return []netsim.Frame{wrapped(t, x)} }),
			want: m{CheckEncapsulation: {OK, "vxlan from 192.0.2.1 to 192.0.2.9 (100 %)", ""}, CheckOffloads: {Warning, "longer than the MTU of 1500", "mtu 9000"}}},
		{name: "twice", edit: edit(func(_ int, x netsim.Frame) []netsim.Frame {
			y := x
			y.Time = y.Time.Add(time.Microsecond)
			return []netsim.Frame{x, y}
		}), want: m{CheckDuplicates: {Warning, "arrived twice", "rx of the ports only"}}},
		{name: "before and after a router", edit: edit(func(_ int, x netsim.Frame) []netsim.Frame {
			if !isIP(x) {
				return []netsim.Frame{x}
			}
			return []netsim.Frame{x, routed(x)}
		}), want: m{CheckDuplicates: {Warning, "from another side of a router", "both sides"}}},
		{name: "cut", edit: edit(func(_ int, x netsim.Frame) []netsim.Frame {
			x.Data = x.Data[:min(len(x.Data), 60)]
			return []netsim.Frame{x}
		}), want: m{CheckFrames: {Warning, "are cut", "truncation"}}},
		{name: "damaged", edit: edit(func(i int, x netsim.Frame) []netsim.Frame {
			if i%20 == 0 && isIP(x) {
				x.Data = bytes.Clone(x.Data)
				x.Data[14] = 0x41 // header of 4 bytes
			}
			return []netsim.Frame{x}
		}), want: m{CheckFrames: {Warning, "ipv4_ihl", "tcpdump"}, CheckGaps: {Warning, "are missing", "mirror loses"}}},
		{name: "GRO", port: func(p *Port) { p.GRO, p.LRO = yes(), yes() }, want: m{CheckOffloads: {Warning, "GRO and LRO merges frames", "ethtool -K span0 gro off lro off"}}},
		{name: "few drops", port: func(p *Port) { p.Counters.NIC = 10 }, want: m{CheckDrops: {Warning, "10 by the interface", "ethtool -G span0 rx 4096"}}},
		{name: "many drops", port: func(p *Port) { p.Counters.Ring, p.Counters.Queue = 900, 10 }, want: m{CheckDrops: {Problem, "900 by the ring", "netdev_max_backlog"}}},
		{name: "sends", port: func(p *Port) { p.Counters.Sent = 3 }, want: m{CheckSilence: {Warning, "sent 3 frames", "addrgenmode none"}}},
		{name: "address", port: func(p *Port) { p.Addresses = []string{"192.0.2.9/24"} }, want: m{CheckSilence: {Warning, "192.0.2.9/24", "ip addr flush dev span0"}}},
		{name: "generic XDP", port: func(p *Port) { p.Modes[1].Error = "the driver has none" }, want: m{CheckMode: {Note, "xdp generic is available, which is slower than in the driver: the card does not; the driver has none", ""}}},
		{name: "no XDP", port: func(p *Port) { p.Modes = []Mode{{"native", "no right"}, {"generic", "no right either"}} }, want: m{CheckMode: {Note, "xdp is not available, so the sensor uses mode afpacket: no right; no right either", ""}}},
		{name: "back in time", edit: edit(func(i int, x netsim.Frame) []netsim.Frame {
			if i == 500 {
				x.Time = x.Time.Add(-2 * time.Second)
			}
			return []netsim.Frame{x}
		}), want: m{CheckClock: {Warning, "1 time stamps are before earlier ones", "sort them"}}},
	}
}

func TestFindings(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.name, func(t *testing.T) {
			frames := office()
			if c.edit != nil {
				frames = c.edit(frames)
			}
			var p *Port
			if c.port != nil {
				p = goodPort()
				c.port(p)
			}
			o := NewObserver(p)
			if err := o.Watch(t.Context(), &slice{frames: frames}, &Sample{}); err != nil {
				t.Fatal(err)
			}
			tr := o.Traffic()
			tr.ClockSynced = yes() // not the state of the test machine
			all := Check(&tr, p)
			compare(t, all, c.want)
			if int(tr.Frames) != len(frames) || tr.Unicast+tr.Group+tr.Own != tr.Frames {
				t.Errorf("%d frames of %d; %+v", tr.Frames, len(frames), tr)
			}
		})
	}
}

// compare checks every finding; those that want does not name must be ok.
func compare(t *testing.T, all []Finding, want map[string]expected) {
	t.Helper()
	left := maps.Clone(want)
	for _, f := range all {
		w, ok := want[f.Check]
		if !ok {
			w = expected{level: OK}
		}
		delete(left, f.Check)
		if f.Level != w.level || !strings.Contains(f.Found, w.found) || !strings.Contains(f.Fix, w.fix) || (w.fix == "") != (f.Fix == "") {
			t.Errorf("%+v, want %+v", f, w)
		}
	}
	for check := range left {
		t.Errorf("no finding for %s", check)
	}
}

func TestClockJumps(t *testing.T) {
	var tr Traffic
	var c clockWatch
	c.look(&tr)
	c.look(&tr)
	if tr.ClockJumps != 0 {
		t.Fatalf("%d jumps of a clock that nobody set", tr.ClockJumps)
	}
	c.offset += 3e9 // as if it had been set back
	c.look(&tr)
	if tr.ClockJumps != 1 || tr.MostJump < 2.9 || tr.MostJump > 3.1 {
		t.Errorf("%d jumps, of %f s", tr.ClockJumps, tr.MostJump)
	}
	compare(t, []Finding{clock(&tr, true)}, map[string]expected{CheckClock: {Warning, "was set once, by up to 3.0 s", "chrony"}})
	tr = Traffic{ClockSynced: no()}
	compare(t, []Finding{clock(&tr, true)}, map[string]expected{CheckClock: {Warning, "nothing synchronizes the clock", "chrony"}})
}

func TestRate(t *testing.T) {
	tr := Traffic{Frames: 30000, Bytes: 3e7, Seconds: 30, PeakFrames: 2000}
	for _, c := range []struct {
		can  *Capacity
		want expected
	}{
		{nil, expected{Note, "too few frames to measure", ""}},
		{&Capacity{Frames: 30000, Processors: 2, FramesPerSecond: 1e6}, expected{OK, "1,000,000 frames/s on 2 processors: the busiest second is 0.2 % of that", ""}},
		{&Capacity{Frames: 30000, Processors: 2, FramesPerSecond: 3000}, expected{Warning, "66.7 %", "mode xdp"}},
		{&Capacity{Frames: 30000, Processors: 2, FramesPerSecond: 1000}, expected{Problem, "200 %", "mode xdp"}},
	} {
		compare(t, []Finding{Rate(&tr, c.can)}, map[string]expected{CheckRate: c.want})
	}
}

func TestKafkaFindings(t *testing.T) {
	good := map[string]string{"cleanup.policy": "delete", "min.insync.replicas": "2", "max.message.bytes": "4194304"}
	with := func(key, value string) map[string]string {
		m := maps.Clone(good)
		m[key] = value
		return m
	}
	const alerts = "stillwatch.alerts.v1"
	up := []Broker{{Address: "a:9092"}}
	for _, c := range []struct {
		name string
		b    Brokers
		want []Finding
	}{
		{"good", Brokers{up, []Topic{{alerts, 6, 3, good, ""}}}, []Finding{{CheckKafka, OK, "1 broker answers; stillwatch.alerts.v1 (6 partitions, 3 replicas) would accept records", ""}}},
		{"none answers", Brokers{[]Broker{{"a:9092", "kafka a:9092: connection refused; check the port"}}, nil}, []Finding{{CheckKafka, Problem, "kafka a:9092: connection refused", "check the port"}}},
		{"one is away", Brokers{append([]Broker{{"b:9092", "kafka b:9092: no answer"}}, up...), nil}, []Finding{{CheckKafka, Warning, "kafka b:9092: no answer", ""}}},
		{"refused", Brokers{up, []Topic{{alerts, 6, 3, nil, "no right; grant it"}}}, []Finding{{CheckKafka, Problem, "no right", "grant it"}}},
		{"compacted", Brokers{up, []Topic{{alerts, 6, 3, with("cleanup.policy", "compact"), ""}}}, []Finding{{CheckKafka, Warning, "it is compacted", "cleanup.policy=delete"}}},
		{"one in sync", Brokers{up, []Topic{{alerts, 6, 3, with("min.insync.replicas", "1"), ""}}}, []Finding{{CheckKafka, Warning, "min.insync.replicas is 1", "min.insync.replicas=2"}}},
		{"small records", Brokers{up, []Topic{{alerts, 6, 3, with("max.message.bytes", "1000"), ""}}}, []Finding{{CheckKafka, Warning, "max.message.bytes is 1,000", "4194304"}}},
		{"one replica", Brokers{up, []Topic{{alerts, 6, 1, good, ""}}}, []Finding{{CheckKafka, Note, "one replica", ""}}},
		{"settings hidden", Brokers{up, []Topic{{alerts, 6, 3, nil, ""}}}, []Finding{{CheckKafka, Note, "not for this user", "topics check"}}},
	} {
		got := Kafka(&c.b)
		if len(got) == 0 || got[0].Level != c.want[0].Level || !strings.Contains(got[0].Found, c.want[0].Found) || !strings.Contains(got[0].Fix, c.want[0].Fix) {
			t.Errorf("%s: %+v, want %+v first", c.name, got, c.want[0])
		}
	}
}

func TestWorst(t *testing.T) {
	if w := Worst([]Finding{{Level: Note}, {Level: Problem}, {Level: Warning}}); w != Problem {
		t.Errorf("worst is %s", w)
	}
	if w := Worst(nil); w != OK {
		t.Errorf("worst of nothing is %s", w)
	}
}

// TestSampleReturnsItsFrames checks that a sample returns the frames that it kept.
func TestSampleReturnsItsFrames(t *testing.T) {
	frames := office()
	s := &Sample{}
	o := NewObserver(nil)
	if err := o.Watch(t.Context(), &slice{frames: frames}, s); err != nil {
		t.Fatal(err)
	}
	var b capture.Batch
	n := 0
	for {
		err := s.Next(&b)
		for _, f := range b.Frames {
			if want := frames[n]; !bytes.Equal(b.Data[f.Off:f.Off+f.Len], want.Data) || f.Time != want.Time.UnixNano() {
				t.Fatalf("frame %d differs", n)
			}
			n++
		}
		if errors.Is(err, io.EOF) {
			break
		}
	}
	if n != len(frames) || s.Stats().Frames != uint64(n) {
		t.Errorf("%d frames of %d, stats %+v", n, len(frames), s.Stats())
	}
}

// TestTablesAreBounded floods every table.
func TestTablesAreBounded(t *testing.T) {
	o := NewObserver(nil)
	base := slices.IndexFunc(office(), func(x netsim.Frame) bool { return isIP(x) && x.Data[23] == 6 })
	x := office()[base]
	var b capture.Batch
	for i := range uint32(2 * maxFlows) {
		data := tagged(x, uint16(i%4000)).Data
		binary.BigEndian.PutUint32(data[18+12:], i)
		b.Data, b.Frames = data, []capture.Frame{{Time: int64(i) * 1e6, Len: uint32(len(data)), OrigLen: uint32(len(data)), Link: packet.LinkEthernet}}
		o.See(&b)
	}
	tr := o.Traffic()
	if len(o.flows) > maxFlows || len(o.hosts) > maxHosts || len(o.dests) > maxHosts || len(tr.VLANs) > maxVLANs || tr.Unfollowed == 0 {
		t.Errorf("%d flows, %d hosts, %d VLANs, %d unfollowed", len(o.flows), len(o.hosts), len(tr.VLANs), tr.Unfollowed)
	}
}
