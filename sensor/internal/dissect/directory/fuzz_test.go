// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// FuzzLDAP reads any bytes as a session of LDAP, after a bind that was accepted.
func FuzzLDAP(f *testing.F) {
	bind := string("\x30\x12\x02\x01\x01\x60\x0d\x02\x01\x03\x04\x04cn=a\x80\x02pw")
	dissecttest.FuzzStream(f, NewLDAP, []dissecttest.Turn{dissecttest.Client(bind), dissecttest.Server("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00")})
}

// FuzzDirectory reads any bytes as the head of a message of LDAP and of Kerberos.
func FuzzDirectory(f *testing.F) {
	f.Add([]byte("\x84\x00\x00\x00\x03\x02\x01\x01"))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		LooksKerberos(b, dissect.Ports{})
		LooksLDAP(append([]byte{ldapMessage}, b...), false, dissect.Ports{})
	})
}
