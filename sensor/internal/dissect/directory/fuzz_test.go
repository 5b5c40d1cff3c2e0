// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
)

// FuzzDirectory reads any bytes as the head of a message of LDAP and of Kerberos.
func FuzzDirectory(f *testing.F) {
	f.Add([]byte("\x84\x00\x00\x00\x03\x02\x01\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		LooksKerberos(b, dissect.Ports{})
		LooksLDAP(append([]byte{ldapMessage}, b...), false, dissect.Ports{})
	})
}
