// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// public is a network with public addresses, IPv4 and IPv6: three hosts that open sessions to servers outside, and a server.
func public() *netsim.Net {
	n := netsim.New(1)
	n.Router("147.32.1.1", "00:1b:54:00:00:01")
	far := n.External("198.51.100.66", netsim.Linux, 20*time.Millisecond)
	for i, ip := range []string{"147.32.80.9", "147.32.83.230", "147.32.84.165"} {
		host := n.Host(ip, ip, "b8:ca:3a:00:00:1"+string(rune('0'+i)), netsim.Linux)
		n.Dial(began().Add(time.Duration(i)*time.Second), host, far, 443).Send([]byte("hello")).Close()
		n.Dial(began().Add(time.Duration(i)*time.Minute), n.External("203.0.113.9", netsim.Linux, 0), host, 22).Close()
	}
	host := n.Host("six", "2001:db8:1:2::7", "b8:ca:3a:00:00:06", netsim.Linux)
	n.Dial(began().Add(time.Hour), host, n.External("2620:fe::9", netsim.Linux, 20*time.Millisecond), 443).Send([]byte("hello")).Close()
	return n
}

// TestInternalNetworks sets the internal network with --internal.
func TestInternalNetworks(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want []string // addresses of devices
	}{
		{"one network", []string{"--internal", "147.32.0.0/16"}, []string{"147.32.80.9", "147.32.83.230", "147.32.84.165"}},
		{"two networks", []string{"--internal", "147.32.80.0/24", "--internal", "2001:db8:1::/48"}, []string{"147.32.80.9", "2001:db8:1:2::7"}},
		{"all", []string{"--internal", "0.0.0.0/0", "--internal", "::/0"},
			[]string{"147.32.80.9", "147.32.83.230", "147.32.84.165", "198.51.100.66", "2001:db8:1:2::7", "203.0.113.9", "2620:fe::9"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range tell(t, public(), c.args...).devices {
				ips, _ := d["ips"].([]any)
				for _, ip := range ips {
					got = append(got, ip.(string))
				}
			}
			if slices.Sort(got); !slices.Equal(got, c.want) {
				t.Errorf("devices are %v, want %v", got, c.want)
			}
		})
	}
}

// TestInternalNetworksAreSuggested replays a capture in which no address is internal, and one in which some are.
func TestInternalNetworksAreSuggested(t *testing.T) {
	path := write(t, public(), "a.pcap")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"none is internal", nil, `"try_internal":["147.32.0.0/16","2001:db8:1::/48"]`},
		{"declared", []string{"--internal", "147.32.0.0/16"}, ""},
	} {
		r := run1(t, append(append([]string{"replay"}, c.args...), path)...)
		if r.status != exitOK || !strings.Contains(r.err, c.want) || c.want == "" && strings.Contains(r.err, "try_internal") {
			t.Errorf("%s: exit status %d: %s", c.name, r.status, r.err)
		}
	}
	for _, bad := range []string{"10.20.0.0/33", "10.20.0.1/16", "10.0.0.0/8,192.168.0.0/16", "b8:ca:3a:00:00:06"} {
		if r := run1(t, "replay", "--internal", bad, path); r.status != exitUsage || !strings.Contains(r.err, "--internal") {
			t.Errorf("--internal %s: exit status %d: %s", bad, r.status, r.err)
		}
	}
}
