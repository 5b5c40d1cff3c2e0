// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow further between two collections than Go's 100: nearly all that is allocated is tables
// that live for the whole run, and marking them over and over is what a collection costs.
const gcPercent = 400

// tuneMemory leaves the choice to the user who has made one.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
