// SPDX-License-Identifier: Apache-2.0

package announce

// ModelOfSerial returns the model with which a serial number of Hikvision begins: it ends before the date of production, as in
// DS-2CD2042WD-I20160101AAWR012345678; "" if there is none.
func ModelOfSerial(s string) string {
	const century, digits = "20", 8
	for i := 3; i+digits < len(s); i++ {
		if s[i:i+2] == century && isDigits(s[i:i+digits]) && s[:3] == "DS-" {
			return s[:i]
		}
	}
	return ""
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
