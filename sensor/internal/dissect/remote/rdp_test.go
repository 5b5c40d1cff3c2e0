// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"testing"

	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/remote"
)

func FuzzRDP(f *testing.F) {
	dissecttest.FuzzStream(f, remote.NewRDP,
		[]turn{client("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"), server("\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x01\x00\x00\x00"), client(dissecttest.TLSHelloStart)})
}
