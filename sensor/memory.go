// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The garbage collector is given a fixed room to work in instead of a share of the heap: a small heap is collected seldom,
// because marking the same tables over and over is what a collection costs, and a large one does not double.
const (
	gcRoom      = 40 << 20 // bytes between two collections
	gcLeast     = 25       // percent of the live heap
	gcMost      = 400
	gcLookEvery = 50 * time.Millisecond
	liveHeap    = "/gc/heap/live:bytes"
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
		sample := []metrics.Sample{{Name: liveHeap}}
		for {
			select {
			case <-stop:
				return
			case <-look.C:
				metrics.Read(sample)
				if p := gcPercent(sample[0].Value.Uint64()); p != at {
					at = p
					debug.SetGCPercent(at)
				}
			}
		}
	}()
}

// gcPercent gives the percentage that leaves gcRoom to a heap of so many live bytes, in steps that do not follow every
// byte.
func gcPercent(live uint64) int {
	p := int(gcRoom * 100 / max(live, 1))
	return min(max(p/5*5, gcLeast), gcMost)
}
