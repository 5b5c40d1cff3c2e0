// SPDX-License-Identifier: Apache-2.0

package http

import (
	"testing"

	"stillwatch/sensor/internal/dissect/dissecttest"
)

// FuzzLoginBody reads any bytes as the body of a login.
func FuzzLoginBody(f *testing.F) {
	f.Add([]byte(dissecttest.RPCLogin))
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		plainBody(b, true, false)
		isapiValue(b, "password")
	})
}
