// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func TestSimpleHTTP(t *testing.T) {
	for s, want := range map[string]string{
		"GET /index.html\r\n": "http", "GET\r\n": "http", "GET /\n": "http", "GETTING\r\n": "", "GET me\r\n": "", "GET /\x01\r\n": "", "GET": "",
	} {
		if got := dissecttest.AppOf(dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, []turn{client(s)})); got != want {
			t.Errorf("%q: named %q", s, got)
		}
		if got := dissecttest.AppOf(dispatchtest.Play(t, dissect.Ports{Client: 40000, Server: 4444}, []turn{client(s)}, 0)); got != "" {
			t.Errorf("%q away from its port: named %q", s, got)
		}
	}
}
