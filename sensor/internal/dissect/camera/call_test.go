// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"strings"
	"testing"
)

// TestEveryCallIsFound checks that no row of the tables is hidden behind another.
func TestEveryCallIsFound(t *testing.T) {
	for i := range rpcCalls {
		c := &rpcCalls[i]
		if got := rpcCall([]byte(strings.ReplaceAll(c.Name, "*", "Zz")), []byte(c.Setting)); got != c {
			t.Errorf("%+v is hidden by %+v", c, got)
		}
	}
	for i := range sofiaMessages {
		m := &sofiaMessages[i]
		if got := sofiaCall(m.number, []byte(m.Setting)); got != &m.Call {
			t.Errorf("%+v is hidden by %+v", m, got)
		}
		if !sofiaAnswers(m.number + 1) {
			t.Errorf("%d has no row without a name", m.number)
		}
	}
	for i := range baichuanMessages {
		if got := baichuanCall(baichuanMessages[i].number); got != &baichuanMessages[i].Call {
			t.Errorf("%d is there twice", baichuanMessages[i].number)
		}
	}
}
