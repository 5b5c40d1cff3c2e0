// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// small returns a small trace of each kind.
func small(kind string) Config {
	return map[string]Config{
		Office:    {Packets: 40_000, Sessions: 1_430},
		Sessions:  {Sessions: 5_000},
		Devices:   {Devices: 1_000},
		SYNFlood:  {Packets: 5_000},
		MACFlood:  {Packets: 5_000},
		DNSFlood:  {Packets: 5_000},
		FragFlood: {Packets: 5_000},
	}[kind].of(kind)
}

func (c Config) of(kind string) Config {
	c.Kind = kind
	return c
}

func make1(t testing.TB, c Config) ([]byte, Summary) {
	t.Helper()
	var b bytes.Buffer
	sum, err := Write(&b, c)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Bytes != int64(b.Len()) {
		t.Fatalf("%d bytes written, the summary has %d", b.Len(), sum.Bytes)
	}
	return b.Bytes(), sum
}

func parse(t testing.TB, file []byte) []Packet {
	t.Helper()
	ps, err := ReadStory(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func TestSameConfigSameBytes(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(kind, func(t *testing.T) {
			c := small(kind)
			one, _ := make1(t, c)
			two, _ := make1(t, c)
			if sha256.Sum256(one) != sha256.Sum256(two) {
				t.Error("the same seed gives other bytes")
			}
			c.Seed++
			if three, _ := make1(t, c); bytes.Equal(one, three) {
				t.Error("another seed gives the same bytes")
			}
		})
	}
}

// tuple is a 5-tuple, the lower end point first.
func tuple(p gopacket.Packet) (key string, ok bool) {
	nl, tl := p.NetworkLayer(), p.TransportLayer()
	if nl == nil || tl == nil {
		return "", false
	}
	from, to := nl.NetworkFlow().Endpoints()
	src, dst := tl.TransportFlow().Endpoints()
	ends := []string{string(from.Raw()) + string(src.Raw()), string(to.Raw()) + string(dst.Raw())}
	slices.Sort(ends)
	return tl.LayerType().String() + strings.Join(ends, ""), true
}

// TestCounts decodes the traces with another decoder: every frame is complete, times do not decrease, and the numbers of packets
// and sessions are as requested.
func TestCounts(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(kind, func(t *testing.T) {
			c := small(kind)
			file, sum := make1(t, c)
			ps := parse(t, file)
			if len(ps) != sum.Packets || c.Packets > 0 && sum.Packets != c.Packets {
				t.Errorf("%d packets in the file, %d in the summary, %d asked for", len(ps), sum.Packets, c.Packets)
			}
			tuples := map[string]bool{}
			var last int64
			for i, p := range ps {
				if p.Time < last {
					t.Fatalf("packet %d: its time goes back", i)
				}
				last = p.Time
				d := gopacket.NewPacket(p.Data, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true, Lazy: false})
				checkLengths(t, i, d)
				if key, ok := tuple(d); ok {
					tuples[key] = true
				}
			}
			if kind != SYNFlood && kind != MACFlood && kind != DNSFlood && kind != FragFlood && len(tuples) != sum.Sessions {
				t.Errorf("%d sessions in the file, %d in the summary", len(tuples), sum.Sessions)
			}
			if c.Sessions > 0 && sum.Sessions != c.Sessions {
				t.Errorf("%d sessions, %d asked for", sum.Sessions, c.Sessions)
			}
		})
	}
}

func checkLengths(t *testing.T, i int, p gopacket.Packet) {
	t.Helper()
	if ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok {
		if p.Metadata().Truncated || checksum(ip.Contents) != 0 {
			t.Fatalf("packet %d: cut, or a wrong checksum: %v", i, p)
		}
	}
	if ip, ok := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6); ok && (p.Metadata().Truncated || int(ip.Length) != len(ip.Payload)) {
		t.Fatalf("packet %d: cut, or a wrong length: %v", i, p)
	}
	if e := p.ErrorLayer(); e != nil && ipFragment(p) == 0 && application(e.Error()) {
		t.Fatalf("packet %d: %v", i, e.Error())
	}
}

func ipFragment(p gopacket.Packet) uint16 {
	ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	if ip == nil {
		return 0
	}
	return ip.FragOffset | uint16(ip.Flags&layers.IPv4MoreFragments)
}

// application ignores errors of the other decoder about encrypted TLS records that it parses as a handshake.
func application(err error) bool { return !strings.Contains(err.Error(), "TLS") }

// TestOfficeIsTheReference compares the traffic mix with the figures that the sensor is designed for.
func TestOfficeIsTheReference(t *testing.T) {
	c := small(Office)
	file, sum := make1(t, c)
	ps := parse(t, file)
	bytes := 0
	for _, p := range ps {
		bytes += len(p.Data)
	}
	if mean := bytes / len(ps); mean < 725 || mean > 777 {
		t.Errorf("the mean frame has %d bytes, not about 751", mean)
	}
	if span := ps[len(ps)-1].Time - ps[0].Time; span < 590*second || span > 630*second {
		t.Errorf("the trace covers %d s, not about 600", span/second)
	}
	_ = sum
}

// TestSessionsAreOpenAtOnce checks that all sessions are open when the last one has started.
func TestSessionsAreOpenAtOnce(t *testing.T) {
	file, sum := make1(t, small(Sessions))
	packets := map[string]int{}
	open := 0
	for _, p := range parse(t, file) {
		d := gopacket.NewPacket(p.Data, layers.LayerTypeEthernet, gopacket.NoCopy)
		key, _ := tuple(d)
		if packets[key]++; packets[key] == 6 {
			open--
		} else if packets[key] == 1 {
			open++
		}
		h := d.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if h.FIN || h.RST {
			t.Fatal("a session ends")
		}
		if len(packets) == sum.Sessions && packets[key] == 5 && open != sum.Sessions {
			t.Fatalf("%d sessions are open, not %d", open, sum.Sessions)
		}
	}
	if open != 0 {
		t.Errorf("%d sessions did not send their last packet", open)
	}
}

func TestDevicesAreDistinct(t *testing.T) {
	c := small(Devices)
	file, _ := make1(t, c)
	macs, ips, names := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, p := range parse(t, file) {
		d := gopacket.NewPacket(p.Data, layers.LayerTypeEthernet, gopacket.NoCopy)
		if a, ok := d.Layer(layers.LayerTypeARP).(*layers.ARP); ok {
			macs[string(a.SourceHwAddress)] = true
			ips[string(a.SourceProtAddress)] = true
		}
		if l, ok := d.Layer(layers.LayerTypeDHCPv4).(*layers.DHCPv4); ok && l.Operation == layers.DHCPOpRequest {
			names[string(l.Options[1].Data)] = true
		}
	}
	if len(macs) != c.Devices || len(ips) != c.Devices || len(names) != c.Devices/4 {
		t.Errorf("%d MAC addresses, %d addresses, %d names", len(macs), len(ips), len(names))
	}
}

// TestStoryLiesWithinTheFlood merges a story that is longer than the flood, and checks that it is complete, in order, with its own
// intervals, and has flood packets before and after it.
func TestStoryLiesWithinTheFlood(t *testing.T) {
	var story []Packet
	for i := range 50 {
		story = append(story, Packet{Time: int64(i) * 3 * second, Data: bytes.Repeat([]byte{0xee, byte(i)}, 40)})
	}
	for _, kind := range []string{SYNFlood, MACFlood, DNSFlood, FragFlood, Office} {
		c := small(kind)
		c.Story = story
		file, sum := make1(t, c)
		ps := parse(t, file)
		if want := c.Packets + len(story); len(ps) != want || sum.Packets != want {
			t.Errorf("%s: %d packets, %d in the summary", kind, len(ps), sum.Packets)
		}
		var at []int
		for i, p := range ps {
			if i > 0 && p.Time < ps[i-1].Time {
				t.Fatalf("%s: packet %d: its time goes back", kind, i)
			}
			if p.Data[0] == 0xee {
				at = append(at, i)
			}
		}
		if len(at) != len(story) {
			t.Fatalf("%s: %d packets of the story", kind, len(at))
		}
		for k, i := range at {
			if !bytes.Equal(ps[i].Data, story[k].Data) || ps[i].Time-ps[at[0]].Time != story[k].Time {
				t.Fatalf("%s: packet %d of the story is another one or at another distance", kind, k)
			}
		}
		if at[0] < 100 || len(ps)-at[len(at)-1] < 100 {
			t.Errorf("%s: the story is from packet %d to %d of %d", kind, at[0], at[len(at)-1], len(ps))
		}
	}
}

func TestRefusals(t *testing.T) {
	for want, c := range map[string]Config{
		"unknown kind":         {Kind: "hurricane"},
		"at least 20 sessions": {Kind: Office, Sessions: 3},
		"need at least":        {Kind: Office, Sessions: 1000, Packets: 100},
		"negative":             {Kind: SYNFlood, Packets: -1},
		"address plan":         {Kind: Devices, Devices: 1 << 30},
	} {
		if _, err := Write(io.Discard, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, file := range []string{"", "nonsense that is no capture at all", "\x0a\x0d\x0d\x0a"} {
		if _, err := ReadStory(strings.NewReader(file)); err == nil {
			t.Errorf("%q is taken for a story", file)
		}
	}
	raw := make([]byte, 24)
	binary.LittleEndian.PutUint32(raw, 0xa1b2c3d4)
	binary.LittleEndian.PutUint16(raw[4:], 2)
	binary.LittleEndian.PutUint16(raw[6:], 4)
	binary.LittleEndian.PutUint32(raw[20:], 101)
	if _, err := ReadStory(bytes.NewReader(raw)); err == nil || !strings.Contains(err.Error(), "not Ethernet") {
		t.Errorf("a story without Ethernet headers: %v", err)
	}
}

// full is a writer that fails after a number of bytes.
type full int

func (f *full) Write(p []byte) (int, error) {
	if *f -= full(len(p)); *f < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// TestFullDisk checks that a write error is returned and that generation stops soon.
func TestFullDisk(t *testing.T) {
	for _, kind := range Kinds() {
		c, room := small(kind), full(10)
		c.Packets *= 100
		c.Sessions *= 20
		if _, err := Write(&room, c); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", kind, err)
		}
		if room < -3*outputSize {
			t.Errorf("%s: %d bytes were tried to write", kind, -room)
		}
	}
}

func BenchmarkOffice(b *testing.B) {
	for b.Loop() {
		sum, err := Write(io.Discard, Config{Kind: Office, Packets: 400_000, Sessions: 14_300})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(sum.Bytes)
	}
}
