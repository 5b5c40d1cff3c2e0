// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"testing"

	"stillwatch/sensor/internal/dissect/dissecttest"
)

func FuzzJSONMembers(f *testing.F) {
	f.Add([]byte(dissecttest.RPCLogin))
	f.Add([]byte(dissecttest.RPCChallenge))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		JSONMembers(b, func(_ int, key, value []byte) { n += len(key) + len(value) })
		if n > len(b) {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
	})
}
