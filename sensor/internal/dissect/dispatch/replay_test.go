// SPDX-License-Identifier: Apache-2.0

package dispatch_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/fingerprint"
)

// replayLimit is how much of a stream a dissector sees, as in the sensor.
const replayLimit = 16 << 10

// replayFlow is one session of a capture with what was read from it. Index 0 is the client's direction.
type replayFlow struct {
	ends    [2]netip.AddrPort
	stream  [2]replayStream
	app     *fingerprint.App
	hellos  []*dissect.TLSClientHello
	answers []*dissect.TLSServerHello
	conv    dispatch.Conversation
	over    bool
}

// replayStream puts one direction of a TCP connection in order.
type replayStream struct {
	started, ended bool
	next           uint32
	head           []byte
	want           int
	late           map[uint32][]byte
}

type replayKey struct {
	proto string
	a, b  netip.AddrPort
}

func replayKeyOf(proto string, a, b netip.AddrPort) replayKey {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return replayKey{proto, a, b}
}

// replay reads a capture and returns its sessions by their endpoints.
func replay(t *testing.T, path string) map[replayKey][]*replayFlow {
	t.Helper()
	flows := map[replayKey][]*replayFlow{}
	err := eachFrame(path, func(data []byte, link layers.LinkType) { replayFrame(flows, data, link) })
	if err != nil {
		t.Logf("%s: %v", path, err)
	}
	for _, list := range flows {
		for _, f := range list {
			for dir := range f.stream {
				f.segment(dir, nil, true)
			}
		}
	}
	return flows
}

// eachFrame calls f with the frames of a pcap or pcapng file.
func eachFrame(path string, f func([]byte, layers.LinkType)) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return err
		}
		if raw, err = io.ReadAll(z); err != nil {
			return err
		}
	}
	var next func() ([]byte, layers.LinkType, error)
	if ng, err := pcapgo.NewNgReader(bytes.NewReader(raw), pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true}); err == nil {
		next = func() ([]byte, layers.LinkType, error) {
			data, ci, err := ng.ReadPacketData()
			if err != nil {
				return nil, 0, err
			}
			iface, err := ng.Interface(ci.InterfaceIndex)
			return data, iface.LinkType, err
		}
	} else {
		r, err := pcapgo.NewReader(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return err
		}
		next = func() ([]byte, layers.LinkType, error) {
			data, _, err := r.ReadPacketData()
			return data, r.LinkType(), err
		}
	}
	for {
		data, link, err := next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		f(data, link)
	}
}

// replayFrame adds one frame to its session. The decoders of gopacket panic on some damaged frames, which are skipped.
func replayFrame(flows map[replayKey][]*replayFlow, data []byte, link layers.LinkType) {
	defer func() { _ = recover() }()
	p := gopacket.NewPacket(data, link, gopacket.DecodeOptions{})
	var src, dst netip.Addr
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			src, _ = netip.AddrFromSlice(l.SrcIP.To4())
			dst, _ = netip.AddrFromSlice(l.DstIP.To4())
		case *layers.IPv6:
			src, _ = netip.AddrFromSlice(l.SrcIP)
			dst, _ = netip.AddrFromSlice(l.DstIP)
		case *layers.TCP:
			replayTCP(flows, l, netip.AddrPortFrom(src, uint16(l.SrcPort)), netip.AddrPortFrom(dst, uint16(l.DstPort)))
		case *layers.UDP:
			a, b := netip.AddrPortFrom(src, uint16(l.SrcPort)), netip.AddrPortFrom(dst, uint16(l.DstPort))
			f, dir := replayFind(flows, "udp", a, b, false)
			f.udp(dir, l.Payload)
		}
	}
}

func replayFind(flows map[replayKey][]*replayFlow, proto string, src, dst netip.AddrPort, fresh bool) (*replayFlow, int) {
	key := replayKeyOf(proto, src, dst)
	list := flows[key]
	if len(list) == 0 || fresh {
		f := &replayFlow{ends: [2]netip.AddrPort{src, dst}}
		f.conv.Reset(dissect.Ports{Client: src.Port(), Server: dst.Port()}, nil)
		flows[key] = append(list, f)
		return f, 0
	}
	f := list[len(list)-1]
	if f.ends[0] == src {
		return f, 0
	}
	return f, 1
}

func replayTCP(flows map[replayKey][]*replayFlow, l *layers.TCP, src, dst netip.AddrPort) {
	f, dir := replayFind(flows, "tcp", src, dst, false)
	s := &f.stream[dir]
	if l.SYN && s.started && s.next != l.Seq+1 && len(s.head) > 0 {
		f, dir = replayFind(flows, "tcp", src, dst, true)
		s = &f.stream[dir]
	}
	if l.SYN {
		if l.ACK && dir == 0 && !f.stream[0].started {
			f.ends[0], f.ends[1] = f.ends[1], f.ends[0]
			f.conv.Reset(dissect.Ports{Client: f.ends[0].Port(), Server: f.ends[1].Port()}, nil)
			f.stream[0], f.stream[1] = f.stream[1], f.stream[0]
			dir, s = 1, &f.stream[1]
		}
		s.started, s.next = true, l.Seq+1
		return
	}
	payload := l.Payload
	if len(payload) == 0 {
		return
	}
	if !s.started {
		s.started, s.next = true, l.Seq
	}
	f.order(dir, l.Seq, payload)
}

// order passes on what is in order and keeps what arrived early.
func (f *replayFlow) order(dir int, seq uint32, payload []byte) {
	s := &f.stream[dir]
	if d := int32(s.next - seq); d > 0 {
		if int(d) >= len(payload) {
			return
		}
		payload, seq = payload[d:], s.next
	}
	if seq != s.next {
		if s.late == nil {
			s.late = map[uint32][]byte{}
		}
		if len(s.late[seq]) < len(payload) {
			s.late[seq] = bytes.Clone(payload)
		}
		return
	}
	s.next += uint32(len(payload))
	f.segment(dir, payload, false)
	keys := make([]uint32, 0, len(s.late))
	for k := range s.late {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b uint32) int { return int(int32(a - b)) })
	for _, k := range keys {
		if int32(k-s.next) <= 0 {
			held := s.late[k]
			delete(s.late, k)
			f.order(dir, k, held)
			return
		}
	}
}

// segment feeds a segment that is in order.
func (f *replayFlow) segment(dir int, payload []byte, final bool) {
	s := &f.stream[dir]
	if s.ended {
		return
	}
	room := replayLimit - len(s.head)
	if len(payload) > room {
		payload, final = payload[:room], true
	}
	s.head = append(s.head, payload...)
	if len(s.head) < s.want && !final {
		return
	}
	s.want = f.conv.Stream(dir, s.head, final, f.sink)
	s.ended = s.want == 0
	if s.want != 0 && s.want <= len(s.head) {
		panic(fmt.Sprintf("wants %d of %d bytes", s.want, len(s.head)))
	}
}

func (f *replayFlow) udp(dir int, data []byte) {
	if !f.over && len(data) > 0 {
		f.over = !f.conv.Datagram(dir, data, f.sink)
	}
}

func (f *replayFlow) sink(fact dissect.Fact) {
	switch fact := fact.(type) {
	case *dissect.TLSClientHello:
		f.hellos = append(f.hellos, fact)
	case *dissect.TLSServerHello:
		f.answers = append(f.answers, fact)
	}
	f.app = f.app.With(fact)
}
