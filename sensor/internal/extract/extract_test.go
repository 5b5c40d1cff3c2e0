// SPDX-License-Identifier: Apache-2.0

package extract_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/extract"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/session"
)

// wireFrame is a frame of a capture that a test writes.
type wireFrame struct {
	at   int64
	data []byte
	orig int
}

// save writes frames as a pcap file with nanoseconds.
func save(t *testing.T, dir, name string, frames []wireFrame) string {
	t.Helper()
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	for _, v := range []uint32{4<<16 | 2, 0, 0, 1 << 18, 1} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, f := range frames {
		for _, v := range []int{int(f.at / 1e9), int(f.at % 1e9), len(f.data), max(f.orig, len(f.data))} {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
		b = append(b, f.data...)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replayed returns the records of the sessions in a capture.
func replayed(t *testing.T, path string) (all []schemas.Session) {
	t.Helper()
	src, err := capture.OpenFiles([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := pipeline.New(pipeline.Config{Settings: config.Defaults(), Shards: 1, Replay: true}, src, pipeline.Output{Session: func(s *schemas.Session) error {
		var kept schemas.Session // the record is reused
		err := json.Unmarshal(schemas.AppendSession(nil, s), &kept)
		all = append(all, kept)
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return all
}

// extracted runs an extraction without an index.
func extracted(t *testing.T, sel *extract.Selection, out string, paths ...string) extract.Result {
	t.Helper()
	src, err := capture.OpenFiles(paths)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	w := extract.Create(out, func(extract.Result) string { return "test" }, nil)
	res, err := extract.New(sel, src, w).Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(res, nil); err != nil {
		t.Fatal(err)
	}
	return res
}

// ofSession selects the session of a record.
func ofSession(t *testing.T, s *schemas.Session) *extract.Selection {
	t.Helper()
	id, ok := session.ParseCommunityID(s.CommunityID)
	if !ok {
		t.Fatalf("no Community ID: %q", s.CommunityID)
	}
	sel := &extract.Selection{From: int64(s.Start), To: int64(s.End)}
	sel.Session(id)
	return sel
}

// checkSession extracts a session and compares packets with its record, and with replay also the record that the extracted file gives.
func checkSession(t *testing.T, path string, s *schemas.Session, replay bool) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.pcapng")
	res := extracted(t, ofSession(t, s), out, path)
	if res.Packets != s.PacketsOut+s.PacketsIn || res.GaveUp != 0 {
		t.Errorf("%s %s: %d packets, the record has %d", s.CommunityID, s.Start, res.Packets, s.PacketsOut+s.PacketsIn)
	}
	if res.First != int64(s.Start) || res.Last != int64(s.End) {
		t.Errorf("%s: from %s to %s, the record has %s to %s", s.CommunityID, schemas.Time(res.First), schemas.Time(res.Last), s.Start, s.End)
	}
	if !replay {
		return
	}
	again := replayed(t, out)
	if len(again) != 1 {
		t.Errorf("%s: the extracted file has %d sessions", s.CommunityID, len(again))
		return
	}
	want, got := *s, again[0]
	want.AnnouncedBy, got.AnnouncedBy = "", "" // another session tells it
	a, b := schemas.AppendSession(nil, &want), schemas.AppendSession(nil, &got)
	if !bytes.Equal(a, b) {
		t.Errorf("the extracted session has another record:\n%s\nwant:\n%s", b, a)
	}
}

// TestEverySessionOfAStory extracts every session of a story and compares it with its record.
func TestEverySessionOfAStory(t *testing.T) {
	for _, name := range []string{"S3", "S5"} {
		path := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", name, "input.pcap")
		all := replayed(t, path)
		if len(all) < 100 {
			t.Fatalf("%s has only %d sessions", name, len(all))
		}
		for i := range all {
			checkSession(t, path, &all[i], i%37 == 0)
		}
	}
}

// tunneled wraps frames in VXLAN and fragments the outer packets.
func tunneled(frames []wireFrame, vni uint32) (out []wireFrame) {
	for i, f := range frames {
		vx := binary.BigEndian.AppendUint32([]byte{8, 0, 0, 0}, vni<<8)
		udp := binary.BigEndian.AppendUint16(nil, 40000)
		for _, v := range []uint16{4789, uint16(8 + len(vx) + len(f.data)), 0} {
			udp = binary.BigEndian.AppendUint16(udp, v)
		}
		datagram := slices.Concat(udp, vx, f.data)
		out = append(out, fragments(f.at, [4]byte{10, 0, 0, 1}, [4]byte{10, 0, 0, 2}, 17, uint16(i+1), datagram, 400)...)
	}
	return out
}

// fragments returns the frames of an IPv4 datagram, in pieces of at most size bytes, a multiple of 8.
func fragments(at int64, src, dst [4]byte, proto uint8, id uint16, datagram []byte, size int) (out []wireFrame) {
	for off := 0; off < len(datagram); off += size {
		part := datagram[off:min(off+size, len(datagram))]
		flags := uint16(off / 8)
		if off+len(part) < len(datagram) {
			flags |= 1 << 13
		}
		h := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0}
		for _, v := range []uint16{uint16(20 + len(part)), id, flags} {
			h = binary.BigEndian.AppendUint16(h, v)
		}
		h = slices.Concat(h, []byte{64, proto, 0, 0}, src[:], dst[:], part)
		out = append(out, wireFrame{at: at + int64(off), data: h})
	}
	return out
}

// sample is a small network with TCP and UDP sessions. MACs begin with vendor.
func sample(seed uint64, vendor string) (all []wireFrame) {
	begin := time.Date(2026, 3, 2, 8, 0, 0, 123456000, time.UTC)
	n := netsim.New(seed)
	n.Router("10.20.1.1", vendor+":00:00:01")
	a := n.Host("a", "10.20.1.9", vendor+":00:00:09", netsim.Linux)
	b := n.Host("b", "10.20.10.17", vendor+":00:00:17", netsim.Linux)
	at := n.ARP(begin, a, b)
	n.Lookup(at, a, b, "host.example.net", "192.0.2.7")
	n.Dial(at, a, b, 80).HTTP(netsim.Request{Method: "GET", URI: "/"}, netsim.Response{Status: 200, Body: string(bytes.Repeat([]byte("x"), 5000))}).Close()
	n.DialFrom(at.Add(time.Second), a, 50000, b, 81).HTTP(netsim.Request{Method: "GET", URI: "/1"}, netsim.Response{Status: 200}).Close()
	n.DialFrom(at.Add(time.Hour), a, 50000, b, 81).HTTP(netsim.Request{Method: "GET", URI: "/2"}, netsim.Response{Status: 404}).Close()
	n.ICMPSweep(at.Add(2*time.Second), a, "10.20.10.16/30", time.Millisecond, []*netsim.Host{b})
	for _, f := range n.Frames() {
		all = append(all, wireFrame{at: f.Time.UnixNano(), data: f.Data, orig: f.Len})
	}
	return all
}

// TestSessionsInTunnelsAndFragments extracts sessions in fragmented tunnels, fragmented datagrams in any order, and messages of ICMP whose code is
// their type.
func TestSessionsInTunnelsAndFragments(t *testing.T) {
	plain := sample(7, "b8:ca:3a")
	frames := slices.Concat(plain, tunneled(sample(8, "00:04:f2"), 100)) // the same addresses, but other stations
	base := plain[0].at
	big := bytes.Repeat([]byte("payload "), 400)
	udp := slices.Concat([]byte{0x30, 0x39, 0x15, 0xb3, byte((8 + len(big)) >> 8), byte(8 + len(big)), 0, 0}, big)
	for i := range 20 {
		f := fragments(base+int64(i)*1e8, [4]byte{10, 20, 1, 9}, [4]byte{10, 20, 10, 18}, 17, uint16(900+i), udp, 800)
		switch i % 3 {
		case 1: // the last one first
			for j := range len(f) / 2 {
				f[j].data, f[len(f)-1-j].data = f[len(f)-1-j].data, f[j].data
			}
		case 2: // the first is missing, so no session has them
			f = f[1:]
		}
		frames = append(frames, f...)
	}
	unreachable := slices.Concat([]byte{3, 3, 0, 0, 0, 0, 0, 0}, make([]byte, 28))
	frames = append(frames, fragments(base+5e9, [4]byte{10, 20, 1, 9}, [4]byte{10, 20, 10, 19}, 1, 77, unreachable, 800)...)
	frames = append(frames, fragments(base+6e9, [4]byte{10, 20, 10, 19}, [4]byte{10, 20, 1, 9}, 1, 78, unreachable, 800)...)
	slices.SortStableFunc(frames, func(a, b wireFrame) int { return int(a.at - b.at) })
	path := save(t, t.TempDir(), "all.pcap", frames)
	all := replayed(t, path)
	tunnels, fragmented, reused := 0, 0, 0
	for i := range all {
		s := &all[i]
		if len(s.Encap) > 0 {
			tunnels++
		}
		if s.Responder.Port != nil && *s.Responder.Port == 81 {
			reused++
		}
		if s.Responder.IP.String() == "10.20.10.18" && s.Proto == "udp" {
			fragmented++
			if s.PacketsOut != 14*5 {
				t.Errorf("the fragmented datagrams have %d packets in the record", s.PacketsOut)
			}
		}
	}
	if tunnels < 5 || fragmented != 1 || reused < 4 {
		t.Fatalf("%d sessions in tunnels, %d of fragments, %d that reuse ports: the capture is not what the test is about", tunnels, fragmented, reused)
	}
	for i := range all {
		checkInSpaces(t, path, &all[i], all)
	}
}

// checkInSpaces is checkSession for a session whose Community ID another session has at the same time, in another address space.
func checkInSpaces(t *testing.T, path string, s *schemas.Session, all []schemas.Session) {
	t.Helper()
	var want, n uint64
	sel := ofSession(t, s)
	for _, x := range all {
		if x.CommunityID == s.CommunityID && int64(x.Start) <= sel.To && int64(x.End) >= sel.From {
			sel.From, sel.To = min(sel.From, int64(x.Start)), max(sel.To, int64(x.End))
			want += x.PacketsOut + x.PacketsIn
			n++
		}
	}
	if n == 1 {
		checkSession(t, path, s, true)
		return
	}
	if res := extracted(t, sel, filepath.Join(t.TempDir(), "out.pcapng"), path); res.Packets != want {
		t.Errorf("%s: %d packets, the records have %d", s.CommunityID, res.Packets, want)
	}
}

// TestPacketsStayAsTheyAre reads an extracted file with gopacket: order, link types, times, lengths and bytes are those of the captures.
func TestPacketsStayAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	frames := sample(7, "b8:ca:3a")
	for i := range frames {
		frames[i].at += int64(i % 7)               // nanoseconds
		frames[i].orig = len(frames[i].data) + i%3 // a snap length cut some
	}
	ether := save(t, dir, "ether.pcap", frames)
	raw := rawCapture(t, dir, frames[len(frames)-1].at+1e9)
	out := filepath.Join(dir, "out.pcapng")
	sel := &extract.Selection{}
	sel.MAC(packet.MAC{0xb8, 0xca, 0x3a, 0, 0, 0x09})
	sel.Addr(packet.AddrFrom4([]byte{10, 20, 1, 9}).Netip())
	res := extracted(t, sel, out, raw, ether)
	if res.Packets != uint64(len(frames))+1 {
		t.Fatalf("%d packets of %d", res.Packets, len(frames)+1)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		data, ci, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		face, err := r.Interface(ci.InterfaceIndex)
		if err != nil {
			t.Fatal(err)
		}
		if i == len(frames) {
			if face.LinkType != layers.LinkTypeRaw || face.Name != "raw.pcap" {
				t.Errorf("the last packet is of %s, link type %d", face.Name, face.LinkType)
			}
			continue
		}
		want := frames[i]
		if ci.Timestamp.UnixNano() != want.at || !bytes.Equal(data, want.data) || ci.Length != max(want.orig, len(want.data)) ||
			face.LinkType != layers.LinkTypeEthernet || face.Name != "ether.pcap" {
			t.Errorf("packet %d: %d bytes of %d at %s, %s", i, len(data), ci.Length, ci.Timestamp, face.Name)
		}
	}
}

// rawCapture writes a capture with one packet without a link layer.
func rawCapture(t *testing.T, dir string, at int64) string {
	t.Helper()
	path := filepath.Join(dir, "raw.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := pcapgo.NewWriterNanos(f)
	data := fragments(0, [4]byte{10, 20, 1, 9}, [4]byte{10, 20, 1, 8}, 17, 1, []byte{0, 1, 0, 2, 0, 8, 0, 0}, 800)[0].data[14:]
	err = errors.Join(w.WriteFileHeader(0, layers.LinkTypeRaw),
		w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(0, at), CaptureLength: len(data), Length: len(data)}, data))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
