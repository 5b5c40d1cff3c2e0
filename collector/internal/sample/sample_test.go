// SPDX-License-Identifier: Apache-2.0

package sample

import (
	"testing"

	"stillwatch/schemas"
)

func TestSamplesMatchSchema(t *testing.T) {
	for _, n := range []int{0, 1, 99, 12_345} {
		if err := schemas.Validate(schemas.KindAlert, JSON(n)); err != nil {
			t.Error(err)
		}
	}
}
