// SPDX-License-Identifier: Apache-2.0

// Package panics turns panics into errors. A goroutine that reads what others wrote (captures, records, policies) calls ToError, so that a bug ends
// with one line and after the other goroutines have finished their work, and not at once with a stack.
package panics

import "fmt"

// ToError calls f and returns its error. If f panics, the error names where.
func ToError(where string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("internal error in the %s: %v; please report it", where, v)
		}
	}()
	return f()
}
