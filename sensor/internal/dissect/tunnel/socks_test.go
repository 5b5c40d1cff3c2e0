// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"testing"

	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/tunnel"
)

func FuzzSOCKS(f *testing.F) {
	dissecttest.FuzzStream(f, tunnel.NewSOCKS,
		[]turn{client("\x05\x01\x02"), server("\x05\x02"), client("\x01\x01a\x01b"), server("\x01\x00"), client("\x05\x01\x00\x03\x01a\x01\xbb"), server("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")},
		[]turn{client("\x04\x01\x00\x50\x00\x00\x00\x01u\x00name\x00"), server("\x00\x5a\x00\x00\x00\x00\x00\x00")})
}
