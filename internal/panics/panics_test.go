// SPDX-License-Identifier: Apache-2.0

package panics

import (
	"errors"
	"testing"
)

func TestToError(t *testing.T) {
	failed := errors.New("failed")
	if err := ToError("parser", func() error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if err := ToError("parser", func() error { return nil }); err != nil {
		t.Error(err)
	}
	var records []int
	err := ToError("parser", func() error { records[1] = 1; return nil })
	if err == nil || err.Error() != "internal error in the parser: runtime error: index out of range [1] with length 0; please report it" {
		t.Error(err)
	}
}
