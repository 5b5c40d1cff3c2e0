// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
)

// PanicError is a panic during a run. All that was found before it has been reported.
type PanicError struct {
	Where string // "reader", "shard" or "correlator"
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("internal error in the %s: %v", e.Where, e.Value)
}

// recovery is the handler of panics in the goroutines of a run. A panic in one of them must not end the process before the others have
// reported their results. After the first panic nothing is processed, and blocks only circulate until the reader sees that the run is over.
type recovery struct {
	first atomic.Pointer[PanicError]
	stop  func()
}

// do calls f, unless there was a panic before.
func (rec *recovery) do(where string, f func()) {
	if rec.first.Load() != nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			rec.first.CompareAndSwap(nil, &PanicError{Where: where, Value: v, Stack: debug.Stack()})
			rec.stop()
		}
	}()
	f()
}

// err returns the first panic as a *PanicError, nil if there was none.
func (rec *recovery) err() error {
	if e := rec.first.Load(); e != nil {
		return e
	}
	return nil
}
