// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"strings"
	"testing"

	"stillwatch/collector/internal/sample"
)

func TestCheckNumbers(t *testing.T) {
	for v, ok := range map[string]bool{
		``: true, `"`: true, `"\`: true, `"1e1000000"`: true, `"\"1e1000000"`: true, `{"a":1.5e-300,"b":[-1,0.25]}`: true, `true,false,1`: true,
		string(sample.JSON(5)): true, `1e1000`: false, `{"a":1E+0001}`: false, `[-1e-99999]`: false, `"a\\"1e1000`: false,
		strings.Repeat("9", 64): true, strings.Repeat("9", 65): false, strings.Repeat("9", 1000): false,
	} {
		if err := checkNumbers([]byte(v)); (err == nil) != ok {
			t.Errorf("%.80q: %v", v, err)
		}
	}
}
