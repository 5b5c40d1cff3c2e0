// SPDX-License-Identifier: Apache-2.0

package recognize_test

import (
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/recognize"
)

const (
	hsrp1 = "\x00\x00\x10\x03\x0a\x64\x01\x00cisco\x00\x00\x00\xc0\x00\x02\x01"
	hsrp2 = "\x01\x28\x02\x00\x06\x04\x00\x01" // and 34 bytes
	// A discovery request: header of 8 bytes (length 2 words), type 1, sequence number 0, length 3 + 5, flags, one element.
	capwapRequest = "\x00\x10\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x08\x00\x00\x14\x00\x01\x00"
)

func TestRoutersAndAccessPoints(t *testing.T) {
	for name, c := range map[string]struct {
		port uint16
		data string
		want string
	}{
		"HSRP":                     {1985, hsrp1, "hsrp"},
		"HSRP 2":                   {1985, hsrp2 + strings.Repeat("\x00", 34), "hsrp"},
		"HSRP on another port":     {1986, hsrp1, ""},
		"HSRP, two states":         {1985, strings.Replace(hsrp1, "\x10", "\x11", 1), ""},
		"CAPWAP discovery":         {5246, capwapRequest, "capwap"},
		"CAPWAP of another type":   {5246, strings.Replace(capwapRequest, "\x00\x00\x00\x01\x00", "\x00\x00\x00\x03\x00", 1), ""},
		"CAPWAP, length too large": {5246, strings.Replace(capwapRequest, "\x08\x00\x00\x14", "\x28\x00\x00\x14", 1), ""},
	} {
		if got := dissecttest.AppOf(dispatchtest.Datagrams(dissect.Ports{Client: c.port, Server: c.port}, []byte(c.data))); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzRouters(f *testing.F) {
	f.Add([]byte(hsrp1))
	f.Add([]byte(capwapRequest))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		if (recognize.LooksHSRP(b, dissect.Ports{}) || recognize.LooksCAPWAP(b, dissect.Ports{})) && len(b) < 16 {
			t.Fatalf("%x", b)
		}
	})
}
