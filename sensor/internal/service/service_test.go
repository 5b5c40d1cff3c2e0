// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// manager is a service manager: it gives what it is told.
func manager(t *testing.T) func() string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sw") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return func() string {
		t.Helper()
		b := make([]byte, 4096)
		if err := l.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestNotifications(t *testing.T) {
	next := manager(t)
	m := Manager{Report: func(err error) { t.Error(err) }}
	m.Ready("captures on span0\nby xdp")
	if got, want := next(), "READY=1\nSTATUS=captures on span0 by xdp"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	m.Reloading()
	if got := next(); !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9]\d*$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
	m.Stopping()
	if got := next(); got != "STOPPING=1" {
		t.Errorf("got %q", got)
	}
}

func TestWithoutAManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	m := Manager{Report: func(err error) { t.Error(err) }}
	m.Ready("")
	m.Watch(context.Background(), func() []Beat { t.Error("asked without a watchdog"); return nil }, nil)
}

func TestMissingSocketIsReported(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	told := 0
	Manager{Report: func(error) { told++ }}.Stopping()
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// TestWatchdog lets one part stand still, and go on again.
func TestWatchdog(t *testing.T) {
	next := manager(t)
	t.Setenv("WATCHDOG_USEC", "30000")
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	ctx, stop := context.WithCancel(context.Background())
	var round uint64
	var stands atomic.Bool
	var correlator atomic.Uint64
	beats := func() []Beat {
		round++
		if !stands.Load() {
			correlator.Add(1)
		}
		return []Beat{{"reader", round}, {"correlator", correlator.Load()}}
	}
	stuck, done := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(done)
		Manager{Report: func(err error) { t.Error(err) }}.Watch(ctx, beats, func(part string) { stuck <- part })
	}()
	for range 3 {
		if got := next(); got != "WATCHDOG=1" {
			t.Fatalf("got %q", got)
		}
	}
	stands.Store(true)
	if part := <-stuck; part != "correlator" {
		t.Errorf("%s does not move, want correlator", part)
	}
	stands.Store(false)
	if got := next(); got != "WATCHDOG=1" {
		t.Errorf("got %q", got)
	}
	stop()
	<-done
	if n := len(stuck); n > 0 {
		t.Errorf("reported %d more times that a part is stuck: %s", n, strings.Repeat("correlator ", n))
	}
}
