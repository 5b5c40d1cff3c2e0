// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stillwatch/bpf"
	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/packet"
)

// cable moves the test into its own network namespace with a veth pair, mirror and source, and returns a socket that sends frames into source.
func cable(t *testing.T) (send func(frame []byte)) {
	t.Helper()
	ip := testneed.Command(t, "ip")
	runtime.LockOSThread() // and never unlocked: the thread ends with the test, and the namespace with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		testneed.Missing(t, testneed.BPFNeed, "no network namespace of its own: %v", err)
	}
	for _, args := range [][]string{
		{"link", "add", "mirror", "mtu", "9000", "type", "veth", "peer", "name", "source", "mtu", "9000"},
		{"link", "set", "mirror", "addrgenmode", "none", "up"}, {"link", "set", "source", "addrgenmode", "none", "up"},
	} {
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	source, err := net.InterfaceByName("source")
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return func(frame []byte) {
		t.Helper()
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: source.Index}); err != nil {
			t.Fatal(err)
		}
	}
}

// account is the sum of one direction of a session.
type account struct{ packets, ipBytes, payload uint64 }

// direction identifies one direction of a session, by addresses only for ICMP and protocols without ports.
type direction struct {
	from, to         packet.Addr
	fromPort, toPort uint16
	proto            uint8
}

// accounts adds up the frames and counts of batches.
func accounts(sum map[direction]account, b *Batch) {
	var p packet.Packet
	for _, f := range b.Frames {
		packet.Decode(&p, f.Link, b.Data[f.Off:f.Off+f.Len], f.OrigLen)
		if !p.HasIP {
			continue
		}
		d := direction{p.Src, p.Dst, p.SrcPort, p.DstPort, p.Proto}
		if p.Kind == packet.KindICMP || p.Kind == packet.KindICMP6 {
			d.fromPort, d.toPort = 0, 0
		}
		a := sum[d]
		sum[d] = account{a.packets + 1, a.ipBytes + uint64(p.IPBytes), a.payload + uint64(p.PayloadLen)}
	}
	for _, c := range b.Counts {
		ends := [2]direction{{c.A, c.B, c.PortA, c.PortB, c.Proto}, {c.B, c.A, c.PortB, c.PortA, c.Proto}}
		for i, d := range ends {
			if d.proto == 1 || d.proto == 58 {
				d.fromPort, d.toPort = 0, 0
			}
			if c.Packets[i] > 0 {
				a := sum[d]
				sum[d] = account{a.packets + c.Packets[i], a.ipBytes + c.IPBytes[i], a.payload + c.PayloadBytes[i]}
			}
		}
	}
}

// mustOpenXDP opens a source on mirror.
func mustOpenXDP(t *testing.T, cfg XDPConfig) *XDP {
	t.Helper()
	cfg.Iface = "mirror"
	x, err := OpenXDP(cfg)
	if u := new(bpf.UnsupportedError); errors.As(err, &u) {
		testneed.Missing(t, testneed.BPFNeed, "%v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// Each packet of a capture is either copied or counted once: the packets and bytes of each session add up.
func TestXDPAccountsForEveryPacket(t *testing.T) {
	stories, err := filepath.Glob(filepath.Join(testneed.Root(t), "scripts/stories/testdata/*/input.pcap"))
	if err != nil || len(stories) == 0 {
		t.Fatal("no stories", err)
	}
	send := cable(t)
	for _, story := range stories {
		x := mustOpenXDP(t, XDPConfig{Program: bpf.Config{HeadBytes: 2048, HeadSegments: 2, HeadDatagrams: 4}})
		want, got := map[direction]account{}, map[direction]account{}
		sent, shunted := play(t, x, story, send, want, got)
		for d, a := range want {
			if got[d] != a {
				t.Errorf("%s: %+v: %+v captured, %+v sent", story, d, got[d], a)
			}
			delete(got, d)
		}
		for d, a := range got {
			t.Errorf("%s: %+v: %+v captured, none sent", story, d, a)
		}
		s := x.Stats()
		if s.Received != sent || s.Drops.XDP != 0 {
			t.Errorf("%s: %d frames were sent, %+v", story, sent, s)
		}
		if shunted == 0 {
			t.Errorf("%s: nothing was shunted", story)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
}

// play sends the frames of a capture and reads until nothing more arrives.
func play(t *testing.T, x *XDP, path string, send func([]byte), want, got map[direction]account) (sent, shunted uint64) {
	t.Helper()
	f, err := OpenFiles([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in, out Batch
	for {
		if err := f.Next(&in); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		accounts(want, &in)
		for _, fr := range in.Frames {
			whole := make([]byte, fr.OrigLen) // bytes that the snap length of the stories cut do not matter here
			copy(whole, in.Data[fr.Off:fr.Off+fr.Len])
			send(whole)
			sent++
		}
		shunted += exhaust(t, x, &out, got)
	}
	x.swept = 0 // the second is over
	return sent, shunted + exhaust(t, x, &out, got)
}

// exhaust reads until nothing has arrived for a while.
func exhaust(t *testing.T, x *XDP, b *Batch, got map[direction]account) (shunted uint64) {
	t.Helper()
	for {
		before := time.Now().UnixNano()
		if err := x.Next(b); err != nil {
			t.Fatal(err)
		}
		accounts(got, b)
		for _, c := range b.Counts {
			shunted += c.Packets[0] + c.Packets[1]
		}
		for _, f := range b.Frames {
			if d := before - f.Time; d > int64(time.Minute) || d < -int64(time.Minute) {
				t.Fatalf("a frame has the time %v", time.Unix(0, f.Time))
			}
		}
		if len(b.Frames)+len(b.Counts) == 0 {
			if b.Clock < before-int64(time.Second) {
				t.Fatalf("idle, and the clock is at %v", time.Unix(0, b.Clock))
			}
			return shunted
		}
	}
}

// Next does not allocate per packet.
func TestXDPNextDoesNotAllocate(t *testing.T) {
	cable(t)
	x := mustOpenXDP(t, XDPConfig{})
	frame := append(make([]byte, 12, 600), 0x88, 0xb5) // an EtherType for experiments
	frame = frame[:600]
	var b Batch
	const frames = 1000
	round := func() {
		for range frames {
			if _, err := x.programs.Try(frame); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func() (n int) {
		for n < frames {
			if err := x.Next(&b); err != nil {
				t.Fatal(err)
			}
			n += len(b.Frames)
		}
		return n
	}
	round()
	read()
	round()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := read()
	runtime.ReadMemStats(&after)
	if got := after.Mallocs - before.Mallocs; got > uint64(n)/10 { // a sweep, or another goroutine, may allocate a little
		t.Errorf("%d allocations for %d frames", got, n)
	}
}

func TestXDPCloseEndsNext(t *testing.T) {
	cable(t)
	x := mustOpenXDP(t, XDPConfig{})
	ended := make(chan error)
	go func() {
		var b Batch
		for {
			if err := x.Next(&b); err != nil {
				ended <- err
				return
			}
		}
	}()
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}
