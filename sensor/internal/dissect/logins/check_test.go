// SPDX-License-Identifier: Apache-2.0

package logins

import "testing"

// The hashes of these passwords are published with clients of Xiongmai and Dahua recorders.
func TestSofia(t *testing.T) {
	for password, want := range map[string]string{"": "tlJwpbo6", "tluafed": "OxhlwSG8", "admin": "6QNMIQGe"} {
		if got := Sofia(password); string(got[:]) != want {
			t.Errorf("%q: %s, want %s", password, got, want)
		}
	}
}

func TestChecks(t *testing.T) {
	const proof = "27D1D2B6E07E3CE5A982C2E9DBD4BEE9" // of admin with the password admin
	for name, tc := range map[string]struct {
		check Check
		want  bool
	}{
		"no proof":             {Check{}, false},
		"sofia":                {SofiaCheck([]byte("admin"), []byte("tlJwpbo6")), true},
		"sofia, another":       {SofiaCheck([]byte("admin"), []byte("tlJwpbo7")), false},
		"sofia, unknown user":  {SofiaCheck([]byte("nobody"), []byte("tlJwpbo6")), false},
		"sofia, in clear text": {SofiaCheck([]byte("admin"), []byte("12345")), true},
		"dahua":                {DahuaCheck([]byte("admin"), ProofOf([]byte(proof)), "Login to 3", "12"), true},
		"dahua, another nonce": {DahuaCheck([]byte("admin"), ProofOf([]byte(proof)), "Login to 3", "13"), false},
		"dahua, no challenge":  {DahuaCheck([]byte("admin"), ProofOf([]byte(proof)), "", ""), false},
		"dahua, in clear text": {DahuaCheck([]byte("admin"), ProofOf([]byte("admin")), "", ""), true},
	} {
		if got := tc.check.Default(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
