// SPDX-License-Identifier: Apache-2.0

// Package machine has the programs of the lab's machines: real servers and clients on real sockets. Each machine is a process in
// its own network namespace.
package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"stillwatch/internal/testlab/netns"
	"stillwatch/internal/testlab/progress"
)

// machine is the state of a running machine.
type machine struct {
	name  string
	group *errgroup.Group
	ctx   context.Context
}

// Run runs the machine until ctx ends. It reports progress.Ready when its servers listen.
func Run(ctx context.Context, name string) error {
	begin, ok := map[string]func(*machine) error{
		netns.DNS:      (*machine).services,
		netns.Operator: (*machine).operator,
		netns.Legacy:   (*machine).legacy,
		netns.Files:    (*machine).files,
		netns.Recorder: (*machine).recorder,
		netns.Camera1:  (*machine).camera,
		netns.Camera2:  (*machine).camera,
		netns.Camera3:  (*machine).camera,
		netns.Outside:  (*machine).outside,
	}[name]
	if !ok {
		return fmt.Errorf("no machine is called %q", name)
	}
	group, ctx := errgroup.WithContext(ctx)
	m := &machine{name: name, group: group, ctx: ctx}
	if err := begin(m); err != nil {
		return err
	}
	progress.Report(name, progress.Ready, name)
	m.group.Go(func() error { <-ctx.Done(); return ctx.Err() })
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// report reports a step of the machine.
func (m *machine) report(key, format string, args ...any) {
	progress.Report(m.name, key, fmt.Sprintf(format, args...))
}

// listen serves each connection to an address in its own goroutine.
func (m *machine) listen(address string, serve func(net.Conn)) error {
	l, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	context.AfterFunc(m.ctx, func() { _ = l.Close() })
	m.group.Go(func() error {
		for {
			c, err := l.Accept()
			if err != nil {
				if m.ctx.Err() != nil {
					return nil
				}
				return err
			}
			go func() {
				defer context.AfterFunc(m.ctx, func() { _ = c.Close() })()
				defer func() { _ = c.Close() }() // the other end may have closed it
				serve(c)
			}()
		}
	})
	return nil
}

// every calls f at once and then repeatedly until the machine ends.
func (m *machine) every(d time.Duration, f func(context.Context) error) {
	m.group.Go(func() error {
		for t := time.NewTicker(d); ; {
			if err := f(m.ctx); err != nil && m.ctx.Err() == nil {
				m.report("", "fails: %v", err)
			}
			select {
			case <-t.C:
			case <-m.ctx.Done():
				t.Stop()
				return nil
			}
		}
	})
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// dialer returns a dialer from an address of the machine with a timeout of d.
func dialer(from netip.Addr, d time.Duration) *net.Dialer {
	dial := &net.Dialer{Timeout: d}
	if from.IsValid() {
		dial.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	return dial
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
