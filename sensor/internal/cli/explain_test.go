// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	"stillwatch/schemas"
)

func TestRoleAndExpectationInWords(t *testing.T) {
	for _, c := range []struct {
		name string
		d    schemas.Device
		want [2]string
	}{
		{"nothing", schemas.Device{Role: "unknown", RoleLevel: "unknown", Expect: "silent", ExpectSource: "idle"},
			[2]string{"unknown: no evidence", "silent: opens no sessions, except to infrastructure; it has opened nothing for days"}},
		{"too little", schemas.Device{Role: "unknown", RoleLevel: "unknown", Expect: "normal", Evidence: make([]schemas.RoleEvidence, 1)},
			[2]string{"unknown: the evidence is not enough for one role", "normal: may open any session; only attacks raise alerts"}},
		{"hint", schemas.Device{Role: "camera", RoleLevel: "hint", RoleProbability: 0.7, Expect: "server_only", ExpectSource: "role"},
			[2]string{"possibly camera (probability 0.7000)", "server only: answers, and opens no sessions except to infrastructure; set by its role"}},
		{"probable", schemas.Device{Role: "nvr", RoleLevel: "probable", RoleProbability: 0.95, Expect: "allowlist", ExpectSource: "inventory"},
			[2]string{"probably nvr (probability 0.9500)", "allowlist: opens sessions to infrastructure, and those that its entry allows; set by the inventory or --silent"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := [2]string{roleText(&c.d), expectText(&c.d)}; got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
