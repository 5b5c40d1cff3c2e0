// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	"stillwatch/schemas"
)

func TestExplainOfWhatIsNotKnown(t *testing.T) {
	for _, c := range []struct {
		name string
		d    schemas.Device
		want [2]string
	}{
		{"nothing", schemas.Device{Role: "unknown", RoleLevel: "unknown", Expect: "silent", ExpectSource: "idle"},
			[2]string{"not known: nothing was seen that tells", "silent: to open nothing but infrastructure, because it has opened nothing for days"}},
		{"too little", schemas.Device{Role: "unknown", RoleLevel: "unknown", Expect: "normal", Evidence: make([]schemas.RoleEvidence, 1)},
			[2]string{"not known: what was seen is not enough for one role", "nothing in particular: detectors of attacks alone judge it"}},
		{"hint", schemas.Device{Role: "camera", RoleLevel: "hint", RoleProbability: 0.7, Expect: "server_only", ExpectSource: "role"},
			[2]string{"perhaps camera (probability 0.7000)", "server only: to answer, and to open nothing but infrastructure, as its role tells"}},
		{"probable", schemas.Device{Role: "nvr", RoleLevel: "probable", RoleProbability: 0.95, Expect: "allowlist", ExpectSource: "inventory"},
			[2]string{"probably nvr (probability 0.9500)", "allowlist: to open infrastructure, and what its entry allows, as the inventory or --silent says"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := [2]string{roleText(&c.d), expectText(&c.d)}; got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
