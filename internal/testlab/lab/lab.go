// SPDX-License-Identifier: Apache-2.0

// Package lab runs the lab: the network, its machines, the attack stories, and the sensor at the mirror port.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"stillwatch/internal/testlab/netns"
	"stillwatch/internal/testlab/progress"
)

// patience limits the start of a machine or of the sensor on a busy computer.
const patience = 2 * time.Minute

// Options describe a lab. Program is the path of the lab command. OnStep is called for every step, one at a time.
type Options struct {
	Mirror  netns.Mirror
	Program string
	OnStep  func(progress.Step)
}

// Lab is a running lab.
type Lab struct {
	*netns.Network
	Options
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	mu       sync.Mutex // protects failures, and serialises OnStep
	failures []error
}

// Open creates the network and starts its machines. It returns when all servers listen.
func Open(ctx context.Context, o Options) (_ *Lab, err error) {
	n, err := netns.New(ctx, o.Mirror, o.Program)
	if err != nil {
		return nil, err
	}
	l := &Lab{Network: n, Options: o}
	l.ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	// Clients start after their servers.
	for _, wave := range [][]string{
		{netns.Outside, netns.DNS, netns.Files, netns.Legacy, netns.Camera1, netns.Camera2, netns.Camera3}, {netns.Recorder}, {netns.Operator},
	} {
		ready := make(chan string, len(wave))
		for _, m := range wave {
			if err := l.start(m, ready); err != nil {
				return nil, err
			}
		}
		if err := l.waitReady(ctx, ready, len(wave)); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// start starts a machine. It is a failure if the machine ends before the lab.
func (l *Lab) start(machine string, ready chan<- string) error {
	c := l.Command(l.ctx, machine, l.Program, "host", machine)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return err
	}
	l.running.Go(func() {
		err := progress.Read(out, func(x progress.Step) {
			if x.Key == progress.Ready {
				ready <- x.Who
				return
			}
			l.report(x)
		})
		if err = errors.Join(err, c.Wait()); l.ctx.Err() == nil {
			l.fail(fmt.Errorf("%s ended: %w", machine, err))
			ready <- ""
		}
	})
	return nil
}

func (l *Lab) waitReady(ctx context.Context, ready <-chan string, n int) error {
	for limit := time.After(patience); n > 0; n-- {
		select {
		case name := <-ready:
			if name == "" {
				return l.Failure()
			}
		case <-limit:
			return errors.New("a machine of the lab did not start in time")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *Lab) report(x progress.Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.OnStep != nil && l.ctx.Err() == nil { // at the end, failures of machines that lose each other do not matter
		l.OnStep(x)
	}
}

func (l *Lab) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, err)
}

// Failure returns the errors of machines that ended early.
func (l *Lab) Failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.failures...)
}

// Act runs a story to its end.
func (l *Lab) Act(ctx context.Context, name string) error {
	c := l.Command(ctx, netns.Outside, l.Program, "act", name)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return err
	}
	err = errors.Join(progress.Read(out, l.report), c.Wait())
	if err != nil {
		return fmt.Errorf("story %s: %w: %s", name, err, strings.TrimSpace(stderr.String()))
	}
	return l.Failure()
}

// Record captures the mirror port into a pcap file until stop is called.
func (l *Lab) Record(file string) (stop func() error, err error) {
	c := l.Command(context.Background(), netns.Sensor, "tcpdump", "-i", netns.SensorPort, "-U", "-Z", "root", "-w", file)
	pipe, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return nil, err
	}
	var stderr strings.Builder
	buf := make([]byte, 256)
	for !strings.Contains(stderr.String(), "listening on") {
		n, err := pipe.Read(buf)
		stderr.Write(buf[:n])
		if err != nil {
			return nil, errors.Join(fmt.Errorf("tcpdump: %s", stderr.String()), c.Wait())
		}
	}
	go func() { _, _ = io.Copy(io.Discard, pipe) }() // the statistics at the end
	return func() error {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			return err
		}
		return c.Wait()
	}, nil
}

// Close ends all machines and removes the network.
func (l *Lab) Close() error {
	l.stop()
	err := l.Network.Close()
	l.running.Wait()
	return err
}
