// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"stillwatch/internal/testneed"
)

func need(t *testing.T) {
	t.Helper()
	if err := Needs(); err != nil {
		testneed.Missing(t, "root", "%v", err)
	}
}

// left returns the namespaces and locks of a run.
func left(t *testing.T, run string) []string {
	t.Helper()
	found, err := filepath.Glob("/run/netns/" + prefix + run + "-*")
	if err != nil {
		t.Fatal(err)
	}
	locked, err := filepath.Glob(filepath.Join(locks, run))
	if err != nil {
		t.Fatal(err)
	}
	return append(found, locked...)
}

// TestCable checks that frames cross the veth pair, that a program in a namespace ends with it, and that nothing is left.
func TestCable(t *testing.T) {
	need(t)
	n, err := NewCable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sleeper := n.Command(context.Background(), Sensor, "sleep", "600")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	frame := []byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5the frame")
	got := make([]byte, 256)
	var in int
	if err := n.Within(Sensor, func() (err error) { in, err = PacketSocket(SensorPort); return err }); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(in)
	var out int
	if err := n.Within(Sender, func() (err error) { out, err = PacketSocket(SenderPort); return err }); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(out)
	if err := unix.SetsockoptTimeval(in, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		t.Fatal(err)
	}
	carried := false
	for range 60 { // the kernel drops frames until both ends are up
		if _, err := unix.Write(out, frame); err != nil && !errors.Is(err, unix.ENETDOWN) {
			t.Fatal(err)
		}
		if k, _, err := unix.Recvfrom(in, got, 0); err == nil && string(got[:k]) == string(frame) {
			carried = true
			break
		}
	}
	if !carried {
		t.Error("the frame did not arrive")
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	_ = sleeper.Wait()
	if s, ok := sleeper.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() {
		t.Errorf("the program ended with %v", sleeper.ProcessState)
	}
	if l := left(t, n.Run()); len(l) > 0 {
		t.Errorf("left: %v", l)
	}
}

// TestClean checks that Clean removes what a killed run has left and does not touch an active run.
func TestClean(t *testing.T) {
	need(t)
	dead, err := NewCable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := dead.lock.Close(); err != nil { // as the kernel does for a process that is killed
		t.Fatal(err)
	}
	alive, err := NewCable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := alive.Close(); err != nil {
			t.Error(err)
		}
	}()
	cleaned, err := Clean()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(cleaned, dead.Run()) || slices.Contains(cleaned, alive.Run()) {
		t.Errorf("cleaned %v; %s is dead, %s alive", cleaned, dead.Run(), alive.Run())
	}
	if l := left(t, dead.Run()); len(l) > 0 {
		t.Errorf("left: %v", l)
	}
	if l := left(t, alive.Run()); len(l) != 3 {
		t.Errorf("of the run that is alive there is %v", l)
	}
}

// TestFailureLeavesNothing checks that a network whose setup fails is removed.
func TestFailureLeavesNothing(t *testing.T) {
	need(t)
	n, err := New(t.Context(), Mirror{Way: "pigeon"}, os.Args[0])
	if err == nil {
		t.Fatal(n.Close())
	}
	if !strings.Contains(err.Error(), `"pigeon"`) {
		t.Error(err)
	}
	if n != nil && len(left(t, n.Run())) > 0 {
		t.Errorf("left: %v", left(t, n.Run()))
	}
}

// TestForward reaches a server of this namespace from another one.
func TestForward(t *testing.T) {
	need(t)
	n, err := NewCable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write([]byte("from here"))
		_ = c.Close()
	}()
	if err := n.Forward(t.Context(), Sensor, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	c, err := n.Dial(t.Context(), Sensor, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := make([]byte, 32)
	k, err := c.Read(got)
	if err != nil || string(got[:k]) != "from here" {
		t.Errorf("got %q, %v", got[:k], err)
	}
}
