// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"stillwatch/sensor/internal/device"
)

// A device with several addresses is named by the one that the session was of, whichever was bound last.
func TestDeviceIsNamedByTheAddressOfTheSession(t *testing.T) {
	first, last := netip.MustParseAddr("10.20.30.40"), netip.MustParseAddr("10.20.30.41")
	d := &device.Device{Key: "mac:02:00:5e:60:00:01", IPs: []netip.Addr{first, last}}
	camera := &device.Device{Key: d.Key, IPs: d.IPs, Vendor: "Good Way Ind. Co., Ltd.", Role: device.Camera}
	for got, want := range map[string]string{
		(&Finding{Device: d, DeviceAddr: first}).self().full:       "10.20.30.40",
		(&Finding{Device: d}).self().full:                          "10.20.30.41",
		(&Finding{}).self().full:                                   "the network",
		peerName(&Peer{Device: d, IP: first.String()}).full:        "10.20.30.40",
		(&Finding{Device: camera, DeviceAddr: first}).self().full:  "10.20.30.40 (Good Way Ind Co, Ltd camera)",
		ShortLabel(camera, netip.Addr{}):                           "10.20.30.41",
		label(&device.Device{Key: "hall camera"}, first).full:      "hall camera",
		peerName(&Peer{IP: "198.51.100.1", Name: "x.test"}).full:   "x.test (198.51.100.1)",
		(&Peer{IP: "2001:db8::1", Port: 443}).at().short:           "[2001:db8::1]:443",
		(&Peer{IP: "198.51.100.1", Name: "x", Port: 53}).at().full: "x:53",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Titles fit whatever the names are: the device stays whole, of a DNS name the end stays.
func TestTitlesFit(t *testing.T) {
	long := strings.Repeat("label.", 40) + "example.com"
	v6 := netip.MustParseAddr("2001:db8:1111:2222:3333:4444:5555:6666")
	camera := &device.Device{Key: "mac:02:00:5e:60:00:01", IPs: []netip.Addr{v6}, Vendor: strings.Repeat("Vendor ", 9), Role: device.Camera}
	for _, p := range []*Peer{{IP: "198.51.100.1", Name: long}, {IP: "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"}, {IP: "10.0.0.1", Device: &device.Device{Key: strings.Repeat("界", 100)}}, nil} {
		f := &Finding{Device: camera, DeviceAddr: v6, Peer: p}
		title := headline("%s opened %s to %s", f.self(), name{"8443/tcp (rtsp)", "8443/tcp"}, f.other())
		if n := utf8.RuneCountInString(title); n > MaxTitle || !strings.HasPrefix(title, v6.String()+" ") {
			t.Errorf("%d characters: %s", n, title)
		}
		if p != nil && p.Name != "" && !strings.HasSuffix(title, ".example.com") {
			t.Errorf("the end of the name is missing: %s", title)
		}
	}
}

// Each recommendation is three steps for the role, with no placeholder left.
func TestAdvice(t *testing.T) {
	seen, cases := map[string]bool{}, 0
	for _, rule := range registrations() {
		if _, ok := rule.advice[""]; !ok {
			t.Errorf("no advice for %s", rule.Rule.ID)
		}
		for found := range rule.advice {
			cases++
			for r := device.Unknown; r <= device.IoT; r++ {
				s := rule.advise(found, &device.Device{Role: r})
				if !strings.HasPrefix(s, "1. ") || !strings.Contains(s, ". 2. ") || !strings.Contains(s, ". 3. ") || strings.ContainsAny(s, "{}") || len(s) > 600 {
					t.Errorf("%s %s, %s: %s", rule.Rule.ID, found, r, s)
				}
				seen[s] = true
			}
		}
	}
	camera, server := outboundRule.advise("", &device.Device{Role: device.Camera}), outboundRule.advise("", &device.Device{Role: device.Server})
	if camera == server {
		t.Error("the advice does not depend on the role")
	}
	if len(seen) < 2*cases {
		t.Errorf("%d texts for %d cases", len(seen), cases)
	}
}
