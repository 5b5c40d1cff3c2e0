// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// interrupt ends a run on a signal. The first SIGINT or SIGTERM cancels the context, so that the results up to then are written. After that
// both have their default effect again: a second one kills.
type interrupt struct {
	ctx    context.Context // of the run
	cancel context.CancelFunc
	got    atomic.Int32
	ch     chan os.Signal
}

// watchSignals starts to wait for a signal.
func watchSignals(parent context.Context) *interrupt {
	ctx, cancel := context.WithCancel(parent)
	i := &interrupt{ctx: ctx, cancel: cancel, ch: make(chan os.Signal, 1)}
	signal.Notify(i.ch, syscall.SIGINT, syscall.SIGTERM)
	// A reader that closes standard output is an error of the write, not the end of the process: the other files must
	// still be completed.
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		s, ok := <-i.ch
		if !ok {
			return
		}
		if n, ok := s.(syscall.Signal); ok {
			i.got.Store(int32(n))
		}
		signal.Stop(i.ch)
		cancel()
	}()
	return i
}

// signal returns the number of the signal that came, 0 if none did.
func (i *interrupt) signal() int { return int(i.got.Load()) }

// stop restores the default effect of the signals.
func (i *interrupt) stop() {
	signal.Stop(i.ch)
	close(i.ch)
	i.cancel()
}
