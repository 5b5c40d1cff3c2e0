// SPDX-License-Identifier: Apache-2.0

package device

import (
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
)

// TestMUDURLs has a device give its MUD URL in each of the ways that RFC 8520 knows, and refuses what is no such URL.
func TestMUDURLs(t *testing.T) {
	ways := map[string]func(r *Registry, d *Device, v *session.View, url string){
		"DHCP option 161": func(r *Registry, d *Device, v *session.View, url string) {
			r.Fact(v, &dissect.DHCPMessage{Type: "request", ClientMAC: d.MAC, MUDURL: url}, session.Out, d, nil, sec)
		},
		"DHCPv6 option 112": func(r *Registry, d *Device, v *session.View, url string) {
			r.Fact(v, &dissect.DHCPv6Message{Type: "solicit", MUDURL: url}, session.Out, d, nil, sec)
		},
		"LLDP": func(r *Registry, d *Device, _ *session.View, url string) {
			r.Link(&dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{Protocol: "lldp"}, EtherSrc: d.MAC, MUDURL: url}, sec)
		},
		"certificate of a server": func(r *Registry, d *Device, v *session.View, url string) {
			r.Fact(v, &dissect.TLSCertificate{MUDURL: url}, session.In, nil, d, sec)
		},
		"certificate of a client": func(r *Registry, d *Device, v *session.View, url string) {
			r.Fact(v, &dissect.TLSCertificate{MUDURL: url}, session.Out, d, nil, sec)
		},
	}
	for url, want := range map[string]string{
		"https://v.example/cam.json": "https://v.example/cam.json", "https://V.example:8443/a?b": "https://V.example:8443/a?b", "http://v.example/cam": "", "https://v": "",
		"https://user@v.example/": "", "https://v.example/ a": "", "https://v.example/" + strings.Repeat("a", 250): "", "https://[2001:db8::1]/x": "", "https://192.0.2.1\x00/": "",
	} {
		for way, give := range ways {
			r, k := New(Config{}), talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), answered: true}
			d, _ := play(r, k)
			if give(r, d, k.view(), url); d.MUDURL != want {
				t.Errorf("%s: %q is recorded as %q", way, url, d.MUDURL)
			}
		}
	}
}
