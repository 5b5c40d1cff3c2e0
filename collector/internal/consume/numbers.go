// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"bytes"
	"errors"
	"strings"
)

var errNumber = errors.New("a number has more than 64 characters, or an exponent of more than 3 digits")

// checkNumbers rejects numbers that are expensive to validate: the schema library compares exact fractions, and 1e1000000 takes 60 ms.
// One record could contain thousands of them. Other invalid JSON is left to the parser.
func checkNumbers(v []byte) error {
	for len(v) > 0 {
		i := bytes.IndexAny(v, `"0123456789`)
		if i < 0 {
			return nil
		}
		if v = v[i:]; v[0] == '"' {
			v = v[stringEnd(v):]
			continue
		}
		head := v[:min(len(v), 100)]
		n := len(head) - len(bytes.TrimLeft(head, "0123456789+-.eE"))
		number := string(v[:n])
		_, exponent, _ := strings.Cut(strings.ToLower(number), "e")
		if n > 64 || len(strings.TrimLeft(exponent, "+-")) > 3 {
			return errNumber
		}
		v = v[n:]
	}
	return nil
}

// stringEnd returns the length of the string at the start of v, or of v if the string is not terminated.
func stringEnd(v []byte) int {
	for i := 1; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(v)
}
