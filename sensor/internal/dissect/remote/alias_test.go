// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// turn is what one side sends at once.
type turn = dissecttest.Turn
