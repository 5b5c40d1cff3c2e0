// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// Short names for the tables of the tests.
var request = dissecttest.Request
