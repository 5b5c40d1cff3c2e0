// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/remote"
)

const winboxLogin = "\x27\x06admin\x00" + "0123456789abcdef0123456789abcdef\x01"

func TestWinboxUser(t *testing.T) {
	for message, want := range map[string]int{winboxLogin: 1, "\x68\x01\x00\x66M2\x05\x00" + strings.Repeat("x", 98): 0} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 8291}, []turn{client(message)})
		got := dissecttest.FactsOf[dissect.Login](facts)
		if dissecttest.AppOf(facts) != "winbox" || len(got) != want || want > 0 && got[0] != (dissect.Login{Protocol: "winbox", UserHint: "in"}) {
			t.Errorf("%q:\n%s", message, dissecttest.Dump(facts))
		}
	}
}

// FuzzWinbox feeds messages as LooksWinbox accepts them: whole.
func FuzzWinbox(f *testing.F) {
	f.Add([]byte(winboxLogin))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		remote.NewWinbox().Feed(dissect.FromClient, b, true, func(x dissect.Fact) {
			if l := x.(*dissect.Login); len(l.UserHint) > 16 {
				t.Errorf("%+v", l)
			}
		})
	})
}
