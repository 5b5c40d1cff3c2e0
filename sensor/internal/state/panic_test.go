// SPDX-License-Identifier: Apache-2.0

package state

import (
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
)

// TestPanicOfTheWriterIsAFault has the write of a snapshot panic: that is a fault, in one line, and the snapshot is written again.
func TestPanicOfTheWriterIsAFault(t *testing.T) {
	o := options()
	var writes atomic.Int32
	o.Sync = func() error {
		if writes.Add(1) == 1 {
			panic("a bug")
		}
		return nil
	}
	var told []string
	o.Report = func(err error) { told = append(told, err.Error()) }
	path := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, path, o)
	b := s.Ready(100 * sec)
	put(b, "a", "1")
	s.Save(b, 100*sec, false)
	waitFor(t, "the snapshot", func() bool { return s.Stats().Saves == 1 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	want := []string{"state " + path + " cannot be saved and will be retried: internal error in the writer of the state file: a bug; please report it",
		"state " + path + " is saved again"}
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}
