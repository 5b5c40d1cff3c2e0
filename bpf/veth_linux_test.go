// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"stillwatch/internal/testneed"
)

// mustLoad loads the programs, or skips the test without privileges.
func mustLoad(t testing.TB, load loader, cfg Config) *Programs {
	t.Helper()
	p, err := load(cfg)
	if u := new(UnsupportedError); errors.As(err, &u) {
		testneed.Missing(t, testneed.BPFNeed, "%v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// vethPair moves the test into its own network namespace with a veth pair, mirror and source. It returns a function that sends frames into
// source.
func vethPair(t testing.TB) (send func(frame []byte)) {
	t.Helper()
	ip := testneed.Command(t, "ip")
	runtime.LockOSThread() // and never unlocked: the thread ends with the test, and the namespace with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		testneed.Missing(t, testneed.BPFNeed, "no network namespace of its own: %v", err)
	}
	for _, args := range [][]string{
		{"link", "add", "mirror", "type", "veth", "peer", "name", "source"},
		{"link", "set", "mirror", "mtu", "9000", "up"}, {"link", "set", "source", "mtu", "9000", "up"},
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
	to := &unix.SockaddrLinklayer{Ifindex: source.Index}
	return func(frame []byte) {
		t.Helper()
		if err := unix.Sendto(fd, frame, 0, to); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFramesArriveFromAnInterface(t *testing.T) {
	send := vethPair(t)
	for _, mode := range []Mode{Native, Generic} {
		func() { // no test of its own: that would run in another thread, and so in another namespace
			p := mustLoad(t, Load, Config{})
			got, _, err := p.Attach("mirror", mode)
			if err != nil || got != mode {
				t.Fatalf("attached in mode %v: %v", got, err)
			}
			r, err := p.NewReader()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			for _, size := range []int{60, 1514, 9014} {
				frame := make([]byte, size)
				frame[12], frame[13] = 0x88, 0xb5 // an EtherType for experiments
				frame[size-1] = 0xee
				send(frame)
				r.SetDeadline(time.Now().Add(2 * time.Minute))
				var rec Record
				for {
					if err := r.Read(make([]byte, MaxRecord), &rec); err != nil {
						t.Fatal(err)
					}
					if len(rec.Data) > 13 && rec.Data[12] == 0x88 && rec.Data[13] == 0xb5 { // others are sent by the kernel
						break
					}
				}
				if string(rec.Data) != string(frame) || int(rec.Wire) != size || rec.Reason != NoIP {
					t.Errorf("%d bytes of %d arrived, for %v", len(rec.Data), rec.Wire, rec.Reason)
				}
			}
			r.SetDeadline(time.Now().Add(time.Millisecond))
			for err = nil; err == nil; {
				err = r.Read(make([]byte, MaxRecord), new(Record))
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			p.Close()
		}()
	}
}

// The error has the kind of what is missing.
func TestRefusedAttach(t *testing.T) {
	vethPair(t)
	first, second := mustLoad(t, Load, Config{Sessions: 64}), mustLoad(t, Load, Config{Sessions: 64})
	kind := func(err error) Missing {
		u := new(UnsupportedError)
		if !errors.As(err, &u) {
			t.Errorf("%v", err)
		}
		return u.Kind
	}
	if _, _, err := first.Attach("mirror", Offload); kind(err) != MissingDriver {
		t.Error(err)
	}
	mode, refused, err := first.Attach("mirror", Offload, Generic)
	if err != nil || mode != Generic || len(refused) != 1 || refused[0].Mode != Offload || kind(refused[0].Err) != MissingDriver {
		t.Errorf("%v, refused %v, %v", mode, refused, err)
	}
	if _, _, err := first.Attach("mirror"); err == nil {
		t.Error("attached twice")
	}
	if _, refused, err := second.Attach("mirror"); len(refused) != 3 || kind(refused[1].Err) != InUse || kind(refused[2].Err) != InUse {
		t.Errorf("refused %v, %v", refused, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if mode, refused, err := second.Attach("mirror"); err != nil || mode != Native || len(refused) != 1 || refused[0].Mode != Offload {
		t.Error(mode, refused, err)
	}
}

// Offload is tried first. The reason shows whether the network card runs no programs, or not this one.
func TestReasonAgainstOffload(t *testing.T) {
	vethPair(t)
	p := mustLoad(t, Load, Config{Sessions: 64, RingBytes: 1 << 17})
	_, _, err := p.Attach("mirror", Offload)
	if want := "XDP in offload mode on mirror: the network card does not run it (invalid argument)"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if c, err := p.forCard(0); err != nil { // without a card it loads, so only the card refused
		t.Errorf("%+v", err)
	} else {
		c.Close()
	}
	err = explainAttach("mirror", Offload, fmt.Errorf("program watch: %w", &ebpf.VerifierError{
		Cause: unix.EINVAL, Log: []string{"0: (b7) r0 = 1", "offload device mismatch between prog and map", "processed 0 insns (limit 1000000)"},
	}))
	if want := "XDP in offload mode on mirror: the network card does not run it: offload device mismatch between prog and map (invalid argument)"; err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestProbe(t *testing.T) {
	vethPair(t)
	mustLoad(t, Load, Config{})
	found, err := Probe("mirror")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 3 || found[0].Mode != Offload {
		t.Errorf("%v", found)
	}
	for _, f := range found {
		t.Log(f.Mode, f.Err)
		if works := f.Err == nil; works != (f.Mode != Offload) {
			t.Errorf("%v: %v", f.Mode, f.Err)
		}
		if u := new(UnsupportedError); f.Err != nil && (!errors.As(f.Err, &u) || u.Kind != MissingDriver) {
			t.Errorf("%v: %#v", f.Mode, f.Err)
		}
	}
}

// The socket filter passes what XDP would copy, and counts the rest.
func TestFilterOnASocket(t *testing.T) {
	send := vethPair(t)
	p := mustLoad(t, LoadFilter, Config{CountOnly: true, Sessions: 64})
	mirror, err := net.InterfaceByName("mirror")
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, p.FD()); err != nil {
		t.Fatal(err)
	}
	const everything = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in network order
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: mirror.Index}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		t.Fatal(err)
	}
	data, end := frameOf(tcp4(443, 1000)), frameOf(ipv4(6, tcp(40000, 443, 5, 0, flagFIN, make([]byte, 300))))
	for range 3 {
		send(data)
	}
	send(end)
	buf := make([]byte, 2000)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			t.Fatal(err)
		}
		if string(buf[:n]) == string(data) {
			t.Fatal("a packet passed that is only to be counted")
		}
		if string(buf[:n]) == string(end) {
			break
		} // others are sent by the kernel
	}
	b := bench{Programs: p, buf: make([]byte, MaxRecord)}
	if b.r, err = p.NewReader(); err != nil {
		t.Fatal(err)
	}
	defer b.r.Close()
	if c := b.said(t).counts; len(c) != 1 || c[0].Packets != [2]uint64{3, 0} || c[0].PayloadBytes[0] != 3000 {
		t.Errorf("%+v", c)
	}
}
