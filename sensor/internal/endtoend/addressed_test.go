// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/schemas"
)

const (
	toAll       = "ff:ff:ff:ff:ff:ff"
	silentMAC   = "b8:ca:3a:00:00:12"
	silentAddr  = "10.20.30.12"
	silentAddr6 = "2001:db8:30::12"
)

// outcome is what a replay reports: the first and the last revision of each alert, the sessions and the devices.
type outcome struct{ begun, alerts, sessions, devices []map[string]any }

func tell(t *testing.T, n *netsim.Net, args ...string) outcome {
	t.Helper()
	dir := t.TempDir()
	alerts, sessions, devices := filepath.Join(dir, "alerts"), filepath.Join(dir, "sessions"), filepath.Join(dir, "devices")
	flags := []string{"replay", "--log-level", "error", "--alerts", alerts, "--sessions", sessions, "--devices", devices}
	r := run1(t, append(append(flags, args...), write(t, n, "a.pcap"))...)
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	var x outcome
	x.sessions, x.devices = records(t, schemas.KindSession, read(t, sessions)), records(t, schemas.KindDevice, read(t, devices))
	place := map[any]int{}
	for _, a := range records(t, schemas.KindAlert, read(t, alerts)) {
		if i, ok := place[a["id"]]; ok {
			x.alerts[i] = a
			continue
		}
		place[a["id"]] = len(x.alerts)
		x.begun, x.alerts = append(x.begun, a), append(x.alerts, a)
	}
	return x
}

// first returns when the alerts of a rule were first reported.
func (x outcome) first(rule string) (all []time.Time) {
	for _, a := range x.begun {
		if a["rule"].(map[string]any)["id"] == rule {
			at, _ := time.Parse(time.RFC3339Nano, a["time"].(map[string]any)["detected_at"].(string))
			all = append(all, at)
		}
	}
	return all
}

// of returns the severities of the alerts of a rule.
func (x outcome) of(rule string) (all []string) {
	for _, a := range x.alerts {
		if a["rule"].(map[string]any)["id"] == rule {
			all = append(all, a["severity"].(string))
		}
	}
	return all
}

func (x outcome) states() (all []string) {
	for _, s := range x.sessions {
		if state := s["state"].(string); !slices.Contains(all, state) {
			all = append(all, state)
		}
	}
	return all
}

// readdress changes the destination of the frames to one MAC.
func readdress(n *netsim.Net, from, to string) {
	a, _ := net.ParseMAC(from)
	b, _ := net.ParseMAC(to)
	for _, f := range n.Frames() {
		if bytes.Equal(f.Data[:6], a) {
			copy(f.Data, b)
		}
	}
}

// TestDestinationMACDecidesTheKindOfPeer sends from a device that should be silent to hosts and groups of all kinds.
func TestDestinationMACDecidesTheKindOfPeer(t *testing.T) {
	const peer = "10.20.31.5"
	cluster := func(ip, mac string) func(n *netsim.Net, cam *netsim.Host) {
		return func(n *netsim.Net, cam *netsim.Host) {
			n.Dial(began(), cam, n.Host("cluster", ip, mac, netsim.Linux), 8443).Send([]byte("hello")).Reply([]byte("hello")).Close()
		}
	}
	broadcast := func(ip string, port uint16) func(n *netsim.Net, cam *netsim.Host) {
		return func(n *netsim.Net, cam *netsim.Host) {
			n.UDP(began(), cam, 37020, n.Host("all", ip, toAll, netsim.Linux), port, make([]byte, 29))
		}
	}
	for _, c := range []struct {
		name   string
		do     func(n *netsim.Net, cam *netsim.Host)
		want   []string // severities of D01
		states []string
	}{
		{"broadcast of a /26", broadcast("10.20.30.63", 20002), nil, []string{"attempted"}},
		{"broadcast of a /24", broadcast("10.20.30.255", 9), nil, []string{"attempted"}},
		{"broadcast of a /23", broadcast("10.20.31.255", 47808), nil, []string{"attempted"}},
		{"limited broadcast", broadcast("255.255.255.255", 9999), nil, []string{"attempted"}},
		{"multicast", func(n *netsim.Net, cam *netsim.Host) {
			n.Multicast(began(), cam, 37020, "239.255.255.250", 37020, make([]byte, 100))
		}, nil, []string{"attempted"}},
		{"datagram to one host", func(n *netsim.Net, cam *netsim.Host) {
			n.UDP(began(), cam, 37021, n.Host("one", "10.20.31.255", "b8:ca:3a:00:00:55", netsim.Linux), 5600, make([]byte, 29))
		}, []string{"medium"}, []string{"attempted"}},
		{"cluster at a multicast MAC", cluster(peer, "03:bf:0a:14:1f:05"), []string{"high"}, []string{"closed"}},
		{"cluster at an IP multicast MAC", cluster(peer, "01:00:5e:7f:1f:05"), []string{"high"}, []string{"closed"}},
		{"cluster at a unicast MAC", cluster(peer, "02:bf:0a:14:1f:05"), []string{"high"}, []string{"closed"}},
		{"virtual router, VRRP and CARP", cluster(peer, "00:00:5e:00:01:07"), []string{"high"}, []string{"closed"}},
		{"virtual router, VRRP for IPv6", cluster("2001:db8:31::5", "00:00:5e:00:02:07"), []string{"high"}, []string{"closed"}},
		{"virtual router, HSRP", cluster(peer, "00:00:0c:07:ac:01"), []string{"high"}, []string{"closed"}},
		{"virtual router, HSRP version 2", cluster(peer, "00:00:0c:9f:f0:01"), []string{"high"}, []string{"closed"}},
		{"virtual router, GLBP", cluster(peer, "00:07:b4:00:01:01"), []string{"high"}, []string{"closed"}},
		{"gateway with a group MAC", func(n *netsim.Net, cam *netsim.Host) {
			n.Router("10.20.30.1", "03:bf:0a:14:00:01")
			n.Dial(began(), cam, n.External("198.51.100.66", netsim.Linux, 20*time.Millisecond), 8443).Send([]byte("hello")).Close()
		}, []string{"high"}, []string{"closed"}},
		{"datagrams over a gateway with a group MAC", func(n *netsim.Net, cam *netsim.Host) {
			n.Router("10.20.30.1", "03:bf:0a:14:00:01")
			n.Exchange(began(), cam, n.External("198.51.100.66", netsim.Linux, 20*time.Millisecond), 5600, []byte("hello"), []byte("hello"))
		}, []string{"high"}, []string{"established"}},
		{"cluster that answers with the MAC of a member", func(n *netsim.Net, cam *netsim.Host) {
			n.Dial(began(), cam, n.Host("member", peer, "b8:ca:3a:00:00:55", netsim.Linux), 8443).Send([]byte("hello")).Close()
			readdress(n, "b8:ca:3a:00:00:55", "03:bf:0a:14:1f:05")
		}, []string{"high"}, []string{"closed"}},
		{"a host that answers a broadcast frame", func(n *netsim.Net, cam *netsim.Host) {
			n.Dial(began(), cam, n.Host("helper", peer, "b8:ca:3a:00:00:55", netsim.Linux), 8443).Send([]byte("hello")).Close()
			readdress(n, "b8:ca:3a:00:00:55", toAll)
		}, []string{"high"}, []string{"closed"}},
		{"a peer in the reserved range that answers", func(n *netsim.Net, cam *netsim.Host) {
			n.Router("10.20.30.1", "00:1b:54:00:00:01")
			n.Dial(began(), cam, n.External("241.1.2.3", netsim.Linux, 20*time.Millisecond), 8443).Send([]byte("hello")).Close()
		}, []string{"high"}, []string{"closed"}},
		{"a datagram to the reserved range", func(n *netsim.Net, cam *netsim.Host) {
			n.Router("10.20.30.1", "00:1b:54:00:00:01")
			n.UDP(began(), cam, 37020, n.External("241.1.2.3", netsim.Linux, 0), 5600, make([]byte, 29))
		}, nil, []string{"attempted"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := netsim.New(1)
			cam := n.Host("cam", silentAddr, silentMAC, netsim.Embedded)
			if c.name == "virtual router, VRRP for IPv6" {
				cam = n.Host("cam", silentAddr6, silentMAC, netsim.Embedded)
			}
			c.do(n, cam)
			x := tell(t, n, "--silent", silentMAC)
			if got := x.of("D01"); !slices.Equal(got, c.want) {
				t.Errorf("D01 is %v, want %v", got, c.want)
			}
			if got := x.states(); !slices.Equal(got, c.states) {
				t.Errorf("sessions are %v, want %v", got, c.states)
			}
		})
	}
}
