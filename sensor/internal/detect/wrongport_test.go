// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

func TestWrongPortPage(t *testing.T) {
	checkPage(t, "D22", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for range 2 {
			s.speak(silent, "198.51.100.9:443", "ssh")
			s.wait(minute)
		}
		return s
	})
}

func TestWrongPort(t *testing.T) {
	const far = "198.51.100.9"
	allowed := legacy()
	allowed.Allow = []contract.Rule{{Text: "out tcp 443", Direction: session.Out, Proto: "tcp", Ports: [][2]uint16{{443, 443}}, Peer: contract.Peer{Prefix: netip.MustParsePrefix(far + "/32")}}}
	camera := func(s *stage) { s.with(host, device.Camera, device.Probable) }
	for _, c := range []struct {
		name          string
		entry         contract.Entry
		before        func(*stage)
		from, to, app string
		want          []string
	}{
		{"ssh on 443", legacy(), nil, silent, far + ":443", "ssh", []string{"high ssh 198.51.100.9:443/tcp 1"}},
		{"ssh on 443, a camera", legacy(), camera, host, far + ":443", "ssh", []string{"medium ssh 198.51.100.9:443/tcp 1"}},
		{"ssh on 443, a device of unknown role", legacy(), nil, host, far + ":443", "ssh", []string{"low ssh 198.51.100.9:443/tcp 1"}},
		{"ssh on a high port, a camera", legacy(), camera, host, far + ":50022", "ssh", []string{"medium ssh 198.51.100.9:50022/tcp 1"}},
		{"http on 443, a camera", legacy(), camera, host, far + ":443", "http", []string{"medium http 198.51.100.9:443/tcp 1"}},
		{"http on 22, a camera", legacy(), camera, host, far + ":22", "http", []string{"medium http 198.51.100.9:22/tcp 1"}},
		{"tls on 53, a camera", legacy(), camera, host, far + ":53", "tls", []string{"medium tls 198.51.100.9:53/tcp 1"}},
		{"telnet on 8080, a public network", legacy(), nil, publicA, far + ":8080", "telnet", []string{"low telnet 198.51.100.9:8080/tcp 1"}},
		{"ssh inside, a silent device", legacy(), nil, silent, "10.20.1.9:8022", "ssh", []string{"high ssh 10.20.1.9:8022/tcp 1"}},
		{"ssh inside, any device", legacy(), nil, host, "10.20.1.9:8022", "ssh", nil},
		{"tls on 443", legacy(), camera, host, far + ":443", "tls", nil},
		{"tls on a high port", legacy(), camera, host, far + ":8443", "tls", nil},
		{"http on a high port", legacy(), camera, host, far + ":8080", "http", nil},
		{"a camera protocol on its vendor's port", legacy(), camera, host, far + ":37777", "dvrip", nil},
		{"a camera protocol on 80", legacy(), camera, host, far + ":80", "dhip", nil},
		{"ssh on 22", legacy(), camera, host, far + ":22", "ssh", nil},
		{"irc on 443", legacy(), nil, silent, far + ":443", "irc", nil},
		{"socks on 443", legacy(), nil, silent, far + ":443", "socks", nil},
		{"another protocol on 53", legacy(), nil, silent, far + ":53", "ssh", nil},
		{"allowed by contract", allowed, nil, silent, far + ":443", "ssh", nil},
		{"a workstation", legacy(), func(s *stage) { s.with(host, device.Workstation, device.Probable) }, host, far + ":443", "ssh", nil},
		{"a server of the network", legacy(), nil, foreign, host + ":443", "ssh", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, c.entry)
			if c.before != nil {
				c.before(s)
			}
			s.speak(c.from, c.to, c.app)
			s.want(t, "D22", c.want...)
		})
	}
}

func TestWrongPortFlood(t *testing.T) {
	s := newStage(t, legacy())
	for i := range 1000 {
		s.speak(silent, fmt.Sprintf("198.51.%d.9:443", i%100), "ssh")
	}
	n := 0
	for _, a := range s.got {
		if a.Rule.ID == "D22" {
			n++
		}
	}
	if n == 0 || n > 200 {
		t.Errorf("%d revisions", n)
	}
}
