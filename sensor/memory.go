// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"
)

// The garbage collector is given the room that is left of a budget, instead of a share of the heap: while the process is small it collects
// seldom, because marking the same tables over and over is what a collection costs, and when it is large it does not double.
const (
	memoryBudget = 240 << 20 // bytes that the process may take before the room gets small
	gcLeastRoom  = 40 << 20  // bytes between two collections
	gcMostRoom   = 160 << 20
	gcLeast      = 25 // percent of the live heap
	gcMost       = 400
	gcLookEvery  = 50 * time.Millisecond
)

// The samples that the choice is made from.
const (
	liveHeap     = "/gc/heap/live:bytes"
	totalMemory  = "/memory/classes/total:bytes"
	releasedHeap = "/memory/classes/heap/released:bytes"
)

// tuneMemory adjusts the collector until stop is closed. A user who has set GOGC has made the choice.
func tuneMemory(stop <-chan struct{}) {
	if os.Getenv("GOGC") != "" {
		return
	}
	at := gcMost
	debug.SetGCPercent(at)
	go func() {
		look := time.NewTicker(gcLookEvery)
		defer look.Stop()
		s := []metrics.Sample{{Name: liveHeap}, {Name: totalMemory}, {Name: releasedHeap}}
		for {
			select {
			case <-stop:
				return
			case <-look.C:
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

// gcPercent gives the percentage that leaves its room to a heap of so many live bytes beside so many outside of it, in steps that do not
// follow every byte.
func gcPercent(live, outside int64) int {
	room := min(max(memoryBudget-live-outside, gcLeastRoom), gcMostRoom)
	return min(max(int(room*100/max(live, 1))/5*5, gcLeast), gcMost)
}

// resident gives the resident bytes of the process, 0 where the kernel does not tell (proc_pid_statm(5)).
func resident() int64 {
	b, _ := os.ReadFile("/proc/self/statm")
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(f[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
