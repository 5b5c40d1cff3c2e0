// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// Frame is a captured frame. With a snap length, Data may be shorter than Len, the length on the wire.
type Frame struct {
	Time time.Time
	Data []byte
	Len  int
}

// Net is a switched segment with a router to the outside, and the capture of it. It is not safe for concurrent use.
type Net struct {
	rng    *rand.Rand
	frames []Frame
	router *Host
	ports  map[netip.Addr]uint16 // next ephemeral port of each client
}

// New returns an empty capture. All random choices are derived from seed.
func New(seed uint64) *Net {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	copy(key[8:], "stillwatch story")
	return &Net{rng: rand.New(rand.NewChaCha8(key)), ports: map[netip.Addr]uint16{}}
}

// Frames returns the frames in the order of time. The caller owns the slice; the bytes are shared.
func (n *Net) Frames() []Frame {
	out := slices.Clone(n.frames)
	slices.SortStableFunc(out, func(a, b Frame) int { return a.Time.Compare(b.Time) })
	return out
}

// WriteTo writes the capture as a pcap file (microseconds, Ethernet) and returns the number of bytes.
func (n *Net) WriteTo(w io.Writer) (int64, error) {
	cw := &countWriter{w: w}
	buffered := bufio.NewWriterSize(cw, 1<<20)
	pw := pcapgo.NewWriter(buffered)
	if err := pw.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		return cw.n, fmt.Errorf("write pcap header: %w", err)
	}
	for _, f := range n.Frames() {
		ci := gopacket.CaptureInfo{Timestamp: f.Time, CaptureLength: len(f.Data), Length: f.Len}
		if err := pw.WritePacket(ci, f.Data); err != nil {
			return cw.n, fmt.Errorf("write frame: %w", err)
		}
	}
	err := buffered.Flush()
	return cw.n, err
}

type countWriter struct {
	w io.Writer
	n int64
}

func (c *countWriter) Write(b []byte) (int, error) {
	k, err := c.w.Write(b)
	c.n += int64(k)
	return k, err
}

// Bytes returns k random bytes from the seed.
func (n *Net) Bytes(k int) []byte {
	b := make([]byte, k)
	for i := 0; i < k; i += 8 {
		var w [8]byte
		binary.LittleEndian.PutUint64(w[:], n.rng.Uint64())
		copy(b[i:], w[:])
	}
	return b
}

// Between returns a random duration in [lo, hi).
func (n *Net) Between(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(n.rng.Int64N(int64(hi-lo)))
}

// IntN returns a random integer in [0, k).
func (n *Net) IntN(k int) int { return n.rng.IntN(k) }

// Shuffle returns a random order of 0..k-1.
func (n *Net) Shuffle(k int) []int { return n.rng.Perm(k) }

// jitter returns d, randomly changed by up to 20 %.
func (n *Net) jitter(d time.Duration) time.Duration { return n.Between(d-d/5, d+d/5) }

// ephemeral returns the next client port of an address, like a stack that counts up.
func (n *Net) ephemeral(ip netip.Addr) uint16 {
	p, ok := n.ports[ip]
	if !ok || p > 60900 {
		p = uint16(32768 + n.rng.IntN(20000))
	}
	n.ports[ip] = p + 1 + uint16(n.rng.IntN(3))
	return p
}

// Raw appends a frame unchanged.
func (n *Net) Raw(at time.Time, frame []byte) {
	n.frames = append(n.frames, Frame{Time: at.UTC().Truncate(time.Microsecond), Data: frame, Len: len(frame)})
}

// put serialises layers into one frame; snap > 0 truncates its data.
func (n *Net) put(at time.Time, snap int, ls ...gopacket.SerializableLayer) {
	buf := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buf, opts, ls...); err != nil {
		panic(fmt.Sprintf("netsim: serialise: %v", err))
	}
	b := buf.Bytes()
	full := len(b)
	if snap > 0 && snap < full {
		b = b[:snap]
	}
	n.Raw(at, slices.Clone(b))
	n.frames[len(n.frames)-1].Len = full
}

// ip returns the Ethernet and IP layers of a packet from src to dst.
func (n *Net) ip(src, dst *Host, proto layers.IPProtocol) (*layers.Ethernet, gopacket.NetworkLayer) {
	src.ipid++
	eth := &layers.Ethernet{SrcMAC: n.link(src), DstMAC: n.link(dst), EthernetType: layers.EthernetTypeIPv4}
	if src.IP.Is4() {
		ttl := src.ttl()
		if dst.IP.IsLinkLocalMulticast() {
			ttl = 255 // RFC 6762 section 11
		}
		return eth, &layers.IPv4{Version: 4, IHL: 5, TTL: ttl, Id: src.ipid, Flags: layers.IPv4DontFragment,
			Protocol: proto, SrcIP: src.IP.AsSlice(), DstIP: dst.IP.AsSlice()}
	}
	eth.EthernetType = layers.EthernetTypeIPv6
	return eth, &layers.IPv6{Version: 6, NextHeader: proto, HopLimit: src.ttl(), SrcIP: src.IP.AsSlice(), DstIP: dst.IP.AsSlice()}
}

// link returns the Ethernet address of a host: the router's for external hosts.
func (n *Net) link(h *Host) net.HardwareAddr {
	if !h.External {
		return h.MAC
	}
	if n.router == nil {
		panic("netsim: an external host needs a Router")
	}
	return n.router.MAC
}

// transport adds an IP packet; the checksum of l4 includes the pseudo header.
func (n *Net) transport(at time.Time, snap int, src, dst *Host, proto layers.IPProtocol, l4 gopacket.SerializableLayer, payload []byte) {
	eth, ip := n.ip(src, dst, proto)
	if c, ok := l4.(interface {
		SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
	}); ok {
		if err := c.SetNetworkLayerForChecksum(ip); err != nil {
			panic(fmt.Sprintf("netsim: checksum: %v", err))
		}
	}
	n.put(at, snap, eth, ip.(gopacket.SerializableLayer), l4, gopacket.Payload(payload))
}
