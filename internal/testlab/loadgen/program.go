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

// Program is a program that receives frames at the mirror port.
type Program struct {
	Name    string
	Command []string
	Ready   string                    // output that shows that it listens
	Taken   func(string) (int, error) // parses the number of received packets from its output
}

// Cost is the cost of receiving the frames of one run.
type Cost struct {
	Sent
	Taken   int           // packets
	Program time.Duration // processor time of the program
	Soft    time.Duration // processor time of ksoftirqd
}

// Lost returns the share of packets that was not received.
func (c Cost) Lost() float64 { return float64(c.Packets-c.Taken) / float64(c.Packets) }

// Measure sends frames over a new veth pair and runs the program, if it has a command, at the other end.
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
		time.Sleep(500 * time.Millisecond) // for frames that are still in ring buffers
	}
	c.Soft = softTime() - before
	return c, errors.Join(err, stop())
}

// start starts a program and returns a function that ends it and fills in the cost.
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
	case <-time.After(2 * time.Minute):
		err := cmd.Process.Kill()
		<-ended
		return nil, errors.Join(fmt.Errorf("%s does not start: %s", p.Name, said.text.String()), err)
	}
	return func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return fmt.Errorf("%s ended: %s", p.Name, said.text.String())
		}
		<-ended // some programs have their own exit status after a signal
		c.Program = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		var err error
		if c.Taken, err = p.Taken(said.text.String()); err != nil {
			return fmt.Errorf("%s: %w: %s", p.Name, err, said.text.String())
		}
		return nil
	}, nil
}

var errNoCount = errors.New("it does not say how many packets it took")

// Group returns a parser for the number in the first group of a regular expression.
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

// Sensor parses the number of received packets from the sensor's last log line: received minus dropped.
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

// listener stores the output of a program and signals when the program is ready.
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

// softTime returns the total processor time of the ksoftirqd threads, zero if it cannot be read.
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
