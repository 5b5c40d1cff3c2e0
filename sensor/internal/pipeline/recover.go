// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
)

// PanicError is a bug of this program that showed in a run: what was found until then has been reported.
type PanicError struct {
	Where string // reader, shard or judge
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("internal error in the %s: %v", e.Where, e.Value)
}

// recovery keeps a panic of one part from ending the process before the others have said what they know. After the first one nothing is
// processed any more, and blocks only go round until the reader has seen that the run is over.
type recovery struct {
	first atomic.Pointer[PanicError]
	stop  func()
}

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

// err gives what was caught, nil if nothing.
func (rec *recovery) err() error {
	if e := rec.first.Load(); e != nil {
		return e
	}
	return nil
}
