// SPDX-License-Identifier: Apache-2.0

// Package gctune sets how often the garbage collector runs, by the memory that is left of a budget.
package gctune

import (
	"bytes"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"
)

// Budget is how many bytes the process may take before collections get frequent.
const Budget = 264 << 20

// The heap may grow by the memory that is left of the budget before the next collection, instead of by a share of the heap. While the
// process is small, it collects rarely: a collection costs the time to mark the same tables again. When it is large, its heap does not
// double.
const (
	minGrowth  = 48 << 20 // bytes between two collections
	maxGrowth  = 160 << 20
	minPercent = 25 // of the live heap
	maxPercent = 400
	interval   = 50 * time.Millisecond
)

// The runtime metrics that the percentage is computed from.
const (
	liveHeap     = "/gc/heap/live:bytes"
	totalMemory  = "/memory/classes/total:bytes"
	releasedHeap = "/memory/classes/heap/released:bytes"
)

// Start adjusts the garbage collector until stop is closed. It does nothing if the user has set GOGC.
func Start(stop <-chan struct{}) {
	if os.Getenv("GOGC") != "" {
		return
	}
	at := maxPercent
	debug.SetGCPercent(at)
	go func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		s := []metrics.Sample{{Name: liveHeap}, {Name: totalMemory}, {Name: releasedHeap}}
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				metrics.Read(s)
				outside := max(resident()-int64(s[1].Value.Uint64()-s[2].Value.Uint64()), 0)
				if p := gcPercent(int64(s[0].Value.Uint64()), outside); p != at {
					at = p
					debug.SetGCPercent(at)
				}
			}
		}
	}()
}

// gcPercent returns the GOGC percentage for a heap with so many live bytes, in a process with so many bytes outside of the heap. It is a
// multiple of 5, so that it does not change with every byte.
func gcPercent(live, outside int64) int {
	growth := min(max(Budget-live-outside, minGrowth), maxGrowth)
	return min(max(int(growth*100/max(live, 1))/5*5, minPercent), maxPercent)
}

// resident returns the resident bytes of the process, 0 if the kernel does not report them (proc_pid_statm(5)).
func resident() int64 {
	b, _ := os.ReadFile("/proc/self/statm")
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(f[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
