// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Within calls f on a thread in the namespace of a machine. Sockets that f opens belong to that namespace.
func (n *Network) Within(machine string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- within("/run/netns/"+n.Namespace(machine), f) }()
	return <-done
}

// within must run in its own goroutine: if the thread cannot return to its namespace, it ends with the goroutine.
func within(path string, f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err != nil {
		return err
	}
	defer func() { _ = home.Close() }() // it was only read
	there, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = there.Close() }() // it was only read
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter %s: %w", path, err)
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back)
	}
	runtime.UnlockOSThread()
	return err
}

// Dial connects from the namespace of a machine. The address must be an IP address with a port, because names would be resolved
// in another namespace.
func (n *Network) Dial(ctx context.Context, machine, address string) (c net.Conn, err error) {
	err = n.Within(machine, func() (err error) {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", address)
		return err
	})
	return c, err
}

// Forward makes a server on the loopback interface of this namespace reachable at the same address in the namespace of a machine until
// ctx ends. It stands for a management network.
func (n *Network) Forward(ctx context.Context, machine, address string) error {
	var l net.Listener
	if err := n.Within(machine, func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	}); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			go carry(ctx, c, address)
		}
	}()
	return nil
}

func carry(ctx context.Context, c net.Conn, address string) {
	defer func() { _ = c.Close() }() // either end may go first
	far, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }() // either end may go first
	defer context.AfterFunc(ctx, func() { _ = c.Close(); _ = far.Close() })()
	done := make(chan struct{}, 2)
	pipe := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from) // either end may go first
		done <- struct{}{}
	}
	go pipe(far, c)
	go pipe(c, far)
	<-done
}

// Count has the frame counters of an interface.
type Count struct{ Received, Sent uint64 }

// Frames returns the counters of the sensor's port.
func (n *Network) Frames(ctx context.Context) (c Count, err error) {
	out, err := n.Command(ctx, Sensor, "ip", "-j", "-s", "link", "show", "dev", SensorPort).Output()
	if err != nil {
		return c, err
	}
	var links []struct {
		Stats64 struct{ Rx, Tx struct{ Packets uint64 } }
	}
	if err := json.Unmarshal(out, &links); err != nil || len(links) != 1 {
		return c, fmt.Errorf("counters of %s: %v: %s", SensorPort, err, out)
	}
	return Count{links[0].Stats64.Rx.Packets, links[0].Stats64.Tx.Packets}, nil
}
