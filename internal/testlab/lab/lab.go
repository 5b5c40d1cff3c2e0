// SPDX-License-Identifier: Apache-2.0

// Package lab runs a lab: the network, its machines, the stories that are acted in it, and the sensor that watches.
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

// patience is how long a machine or the sensor may take to start on a busy computer.
const patience = 2 * time.Minute

// Options say what a stage is. Program is that of the lab; Told gets every step, one at a time.
type Options struct {
	Mirror  netns.Mirror
	Program string
	Told    func(progress.Step)
}

// Lab is a lab that runs.
type Lab struct {
	*netns.Network
	Options
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	mu       sync.Mutex // of Told and failures
	failures []error
}

// Open makes the network and starts its machines; it gives the stage when their servers listen.
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
	// Those that ask others begin when the others can answer.
	for _, wave := range [][]string{
		{netns.Outside, netns.DNS, netns.Files, netns.Legacy, netns.Camera1, netns.Camera2, netns.Camera3}, {netns.Recorder}, {netns.Operator},
	} {
		ready := make(chan string, len(wave))
		for _, m := range wave {
			if err := l.start(m, ready); err != nil {
				return nil, err
			}
		}
		if err := l.await(ctx, ready, len(wave)); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// start starts a machine; its end before that of the stage is a failure.
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
			l.told(x)
		})
		if err = errors.Join(err, c.Wait()); l.ctx.Err() == nil {
			l.fail(fmt.Errorf("%s ended: %w", machine, err))
			ready <- ""
		}
	})
	return nil
}

func (l *Lab) await(ctx context.Context, ready <-chan string, n int) error {
	for limit := time.After(patience); n > 0; n-- {
		select {
		case name := <-ready:
			if name == "" {
				return l.Failure()
			}
		case <-limit:
			return errors.New("a machine of the lab does not start")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *Lab) told(x progress.Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Told != nil && l.ctx.Err() == nil { // machines that miss one another at the end have nothing to tell
		l.Told(x)
	}
}

func (l *Lab) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, err)
}

// Failure returns what has ended that should not have.
func (l *Lab) Failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.failures...)
}

// Act acts a story to its end.
func (l *Lab) Act(ctx context.Context, name string) error {
	c := l.Command(ctx, netns.Outside, l.Program, "act", name)
	var said strings.Builder
	c.Stderr = &said
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return err
	}
	err = errors.Join(progress.Read(out, l.told), c.Wait())
	if err != nil {
		return fmt.Errorf("story %s: %w: %s", name, err, strings.TrimSpace(said.String()))
	}
	return l.Failure()
}

// Record writes what the mirror port shows to a pcap file until the function that it gives is called.
func (l *Lab) Record(file string) (stop func() error, err error) {
	c := l.Command(context.Background(), netns.Sensor, "tcpdump", "-i", netns.SensorPort, "-U", "-Z", "root", "-w", file)
	pipe, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return nil, err
	}
	var said strings.Builder
	buf := make([]byte, 256)
	for !strings.Contains(said.String(), "listening on") {
		n, err := pipe.Read(buf)
		said.Write(buf[:n])
		if err != nil {
			return nil, errors.Join(fmt.Errorf("tcpdump: %s", said.String()), c.Wait())
		}
	}
	go func() { _, _ = io.Copy(io.Discard, pipe) }() // its counts, at the end
	return func() error {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			return err
		}
		return c.Wait()
	}, nil
}

// Close ends everything and removes the network.
func (l *Lab) Close() error {
	l.stop()
	err := l.Network.Close()
	l.running.Wait()
	return err
}
