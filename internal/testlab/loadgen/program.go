// SPDX-License-Identifier: Apache-2.0

package loadgen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"stillwatch/internal/testlab/netns"
)

// Program is something that takes frames from the mirror port.
type Program struct {
	Name    string
	Command []string
	Ready   string                    // what it says as soon as it listens
	Taken   func(string) (int, error) // finds the number of packets that it took in what it has said
}

// Cost is what it took to take the frames of one sender.
type Cost struct {
	Sent
	Taken   int           // packets
	Program time.Duration // processor time of the program
	Soft    time.Duration // processor time of the kernel's threads for work that was put off
}

// Lost is the share of the packets that was not taken.
func (c Cost) Lost() float64 { return float64(c.Packets-c.Taken) / float64(c.Packets) }

// Measure runs a program at the end of a cable of its own, or none if it has no command, and sends to it.
func Measure(ctx context.Context, p Program, t *Trace, rate int, span time.Duration) (c Cost, err error) {
	n, err := netns.NewCable(ctx)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	stop := func() error { return nil }
	if len(p.Command) > 0 {
		if stop, err = start(ctx, n, p, &c); err != nil {
			return c, err
		}
	}
	before := softTime()
	err = n.Within(netns.Sender, func() (err error) {
		c.Sent, err = Send(ctx, netns.SenderPort, t, rate, span)
		return err
	})
	if err == nil {
		time.Sleep(500 * time.Millisecond) // for what is still in rings
	}
	c.Soft = softTime() - before
	return c, errors.Join(err, stop())
}

// start starts a program and gives the function that ends it and fills in what it cost.
func start(ctx context.Context, n *netns.Network, p Program, c *Cost) (func() error, error) {
	cmd := n.Command(context.WithoutCancel(ctx), netns.Sensor, p.Command[0], p.Command[1:]...)
	said := &listener{ready: p.Ready, heard: make(chan struct{})}
	cmd.Stderr, cmd.Stdout = said, said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var end error
	ended := make(chan struct{})
	go func() { end = cmd.Wait(); close(ended) }()
	select {
	case <-said.heard:
	case <-ended:
		return nil, fmt.Errorf("%s ended: %w: %s", p.Name, end, said.text.String())
	case <-time.After(30 * time.Second):
		err := cmd.Process.Kill()
		<-ended
		return nil, errors.Join(fmt.Errorf("%s does not start: %s", p.Name, said.text.String()), err)
	}
	return func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return fmt.Errorf("%s ended: %s", p.Name, said.text.String())
		}
		<-ended // some end with a status of their own after a signal
		c.Program = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		var err error
		if c.Taken, err = p.Taken(said.text.String()); err != nil {
			return fmt.Errorf("%s: %w: %s", p.Name, err, said.text.String())
		}
		return nil
	}, nil
}

var errNoCount = errors.New("it does not say how many packets it took")

// Group finds a number as the first group of an expression.
func Group(expression string) func(string) (int, error) {
	r := regexp.MustCompile(expression)
	return func(text string) (int, error) {
		m := r.FindStringSubmatch(text)
		if m == nil {
			return 0, errNoCount
		}
		return strconv.Atoi(m[1])
	}
}

// Sensor finds what the sensor took in its last words: what the kernel had for it, without what was dropped on the way.
func Sensor(text string) (int, error) {
	for line := range strings.Lines(text) {
		var last struct {
			Msg      string
			Received int
			Dropped  struct{ Ring, XDP int }
		}
		if json.Unmarshal([]byte(line), &last) == nil && last.Msg == "run finished" {
			return last.Received - last.Dropped.Ring - last.Dropped.XDP, nil
		}
	}
	return 0, errNoCount
}

// listener keeps what a program says and tells when it has said that it is ready.
type listener struct {
	text  strings.Builder
	ready string
	heard chan struct{}
	done  bool
}

// Write implements io.Writer; one goroutine of os/exec calls it.
func (l *listener) Write(p []byte) (int, error) {
	l.text.Write(p)
	if !l.done && strings.Contains(l.text.String(), l.ready) {
		l.done = true
		close(l.heard)
	}
	return len(p), nil
}

// softTime sums the processor time of the kernel's threads that do what interrupts have put off (ksoftirqd), zero where it cannot be read.
func softTime() (sum time.Duration) {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, d := range dirs {
		name, err := os.ReadFile("/proc/" + d.Name() + "/comm")
		if err != nil || !strings.HasPrefix(string(name), "ksoftirqd/") {
			continue
		}
		text, err := os.ReadFile("/proc/" + d.Name() + "/schedstat")
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(text), " ")
		if n, err := strconv.ParseInt(first, 10, 64); err == nil {
			sum += time.Duration(n)
		}
	}
	return sum
}
