// SPDX-License-Identifier: Apache-2.0

package tls_test

import (
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// turn is what one side sends at once.
type turn = dissecttest.Turn

// Short names for the tables of the tests.
var client, server = dissecttest.Client, dissecttest.Server
