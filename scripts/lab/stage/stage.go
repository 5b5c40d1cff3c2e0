// SPDX-License-Identifier: Apache-2.0

// Package stage runs a lab: the network, its machines, the stories that are acted in it, and the sensor that watches.
package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"stillwatch/scripts/lab/step"
	"stillwatch/scripts/lab/wire"
)

// patience is how long a machine or the sensor may take to start on a busy computer.
const patience = 2 * time.Minute

// Options say what a stage is. Program is that of the lab; Told gets every step, one at a time.
type Options struct {
	Mirror  wire.Mirror
	Program string
	Told    func(step.Step)
}

// Stage is a lab that runs.
type Stage struct {
	*wire.Network
	Options
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup
	mu       sync.Mutex // of Told and failures
	failures []error
}

// Open makes the network and starts its machines; it gives the stage when their servers listen.
func Open(ctx context.Context, o Options) (_ *Stage, err error) {
	n, err := wire.New(ctx, o.Mirror, o.Program)
	if err != nil {
		return nil, err
	}
	s := &Stage{Network: n, Options: o}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	// Those that ask others begin when the others can answer.
	for _, wave := range [][]string{
		{wire.Outside, wire.DNS, wire.Files, wire.Legacy, wire.Camera1, wire.Camera2, wire.Camera3}, {wire.Recorder}, {wire.Operator},
	} {
		ready := make(chan string, len(wave))
		for _, m := range wave {
			if err := s.start(m, ready); err != nil {
				return nil, err
			}
		}
		if err := s.await(ctx, ready, len(wave)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// start starts a machine; its end before that of the stage is a failure.
func (s *Stage) start(machine string, ready chan<- string) error {
	c := s.Command(s.ctx, machine, s.Program, "host", machine)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return err
	}
	s.running.Go(func() {
		err := step.Read(out, func(x step.Step) {
			if x.Key == step.Ready {
				ready <- x.Who
				return
			}
			s.told(x)
		})
		if err = errors.Join(err, c.Wait()); s.ctx.Err() == nil {
			s.fail(fmt.Errorf("%s ended: %w", machine, err))
			ready <- ""
		}
	})
	return nil
}

func (s *Stage) await(ctx context.Context, ready <-chan string, n int) error {
	for limit := time.After(patience); n > 0; n-- {
		select {
		case name := <-ready:
			if name == "" {
				return s.Failure()
			}
		case <-limit:
			return errors.New("a machine of the lab does not start")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *Stage) told(x step.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Told != nil && s.ctx.Err() == nil { // machines that miss one another at the end have nothing to tell
		s.Told(x)
	}
}

func (s *Stage) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, err)
}

// Failure gives what has ended that should not have.
func (s *Stage) Failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.failures...)
}

// Act acts a story to its end.
func (s *Stage) Act(ctx context.Context, name string) error {
	c := s.Command(ctx, wire.Outside, s.Program, "act", name)
	var said strings.Builder
	c.Stderr = &said
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return err
	}
	err = errors.Join(step.Read(out, s.told), c.Wait())
	if err != nil {
		return fmt.Errorf("story %s: %w: %s", name, err, strings.TrimSpace(said.String()))
	}
	return s.Failure()
}

// Record writes what the mirror port shows to a pcap file until the function that it gives is called.
func (s *Stage) Record(file string) (stop func() error, err error) {
	c := s.Command(context.Background(), wire.Sensor, "tcpdump", "-i", wire.SensorPort, "-U", "-Z", "root", "-w", file)
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
func (s *Stage) Close() error {
	s.stop()
	err := s.Network.Close()
	s.running.Wait()
	return err
}
