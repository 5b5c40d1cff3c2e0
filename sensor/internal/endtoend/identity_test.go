// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/schemas"
)

// devices returns the devices of a capture as "key ips", with the role if there is one.
func devices(t *testing.T, n *netsim.Net, args ...string) (all []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "devices")
	r := run1(t, append(append([]string{"replay", "--log-level", "error", "--devices", file}, args...), write(t, n, "a.pcap"))...)
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	for _, d := range records(t, schemas.KindDevice, read(t, file)) {
		line := fmt.Sprint(d["key"], " ", d["ips"])
		if role := d["role"]; role != "unknown" {
			line += fmt.Sprint(" ", role)
		}
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}

// behindMAC returns a host behind a MAC that others may share.
func behindMAC(n *netsim.Net, ip, mac string) *netsim.Host { return n.Host(ip, ip, mac, netsim.Linux) }

// talks sends a session between a client and a server.
func talks(n *netsim.Net, at time.Time, client, server *netsim.Host, port uint16) {
	n.Dial(at, client, server, port).Send([]byte("hello there")).Reply([]byte("hello to you")).Close()
}

// mirrored encapsulates the IP packets of a capture with wrap, in frames of the mirror.
func mirrored(n *netsim.Net, wrap func(ip []byte) []byte) *netsim.Net {
	out := netsim.New(2)
	for _, f := range n.Frames() {
		carrier := [12]byte{2, 0xbb, 0, 0, 0, 2, 2, 0xbb, 0, 0, 0, 1}
		out.Raw(f.Time, append(carrier[:], wrap(f.Data[14:])...))
	}
	return out
}

func be16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }

// ipv4 is an outer IPv4 packet with its EtherType.
func ipv4(proto byte, payload []byte) []byte {
	return slices.Concat([]byte{8, 0, 0x45, 0}, be16(20+len(payload)), []byte{0, 1, 0, 0, 64, proto, 0, 0, 192, 0, 2, 10, 192, 0, 2, 20}, payload)
}

func udp(port int, payload []byte) []byte {
	return ipv4(17, slices.Concat(be16(50000), be16(port), be16(8+len(payload)), be16(0), payload))
}

// frame is an Ethernet frame with IPv4 between two other MAC addresses.
func frame(etherAndIP []byte) []byte {
	return append([]byte{2, 0xcc, 0, 0, 0, 2, 2, 0xcc, 0, 0, 0, 1}, etherAndIP...)
}

// TestMirrorsOfBareIPHaveNoMAC checks that devices in a mirror of bare IP packets do not get the MAC of the mirror.
func TestMirrorsOfBareIPHaveNoMAC(t *testing.T) {
	geneve := func(ip []byte) []byte { return slices.Concat([]byte{0, 0, 8, 0, 0, 0, 5, 0}, ip) }
	wraps := map[string]func(ip []byte) []byte{
		"GRE":            func(ip []byte) []byte { return ipv4(47, slices.Concat([]byte{0, 0, 8, 0}, ip)) },
		"GRE with a key": func(ip []byte) []byte { return ipv4(47, slices.Concat([]byte{0x20, 0, 8, 0, 0, 0, 0, 7}, ip)) },
		"ERSPAN III of IP": func(ip []byte) []byte {
			return ipv4(47, slices.Concat([]byte{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 5, 0, 0, 0, 0, 0, 0, 8, 0}, ip))
		},
		"Geneve": func(ip []byte) []byte { return udp(6081, geneve(ip)) },
		"Geneve within VXLAN": func(ip []byte) []byte {
			return udp(4789, slices.Concat([]byte{8, 0, 0, 0, 0, 0, 9, 0}, frame(udp(6081, geneve(ip)))))
		},
		"VXLAN-GPE": func(ip []byte) []byte { return udp(4790, slices.Concat([]byte{0x0c, 0, 0, 1, 0, 0, 6, 0}, ip)) },
		"GTP-U": func(ip []byte) []byte {
			return udp(2152, slices.Concat([]byte{0x30, 0xff}, be16(len(ip)), []byte{0, 0, 0, 3}, ip))
		},
		"IP in IP":    func(ip []byte) []byte { return ipv4(4, ip) },
		"MPLS":        func(ip []byte) []byte { return slices.Concat([]byte{0x88, 0x47, 0, 1, 0xd1, 64}, ip) },
		"MPLS in UDP": func(ip []byte) []byte { return udp(6635, slices.Concat([]byte{0, 1, 0xd1, 64}, ip)) },
		"NSH":         func(ip []byte) []byte { return slices.Concat([]byte{0x89, 0x4f, 0, 2, 2, 1, 0, 0, 1, 0}, ip) },
	}
	n := netsim.New(1)
	server := behindMAC(n, "10.0.2.20", "b8:ca:3a:00:00:01")
	talks(n, began(), behindMAC(n, "10.0.1.10", "b8:ca:3a:00:00:02"), server, 443)
	talks(n, began().Add(time.Minute), behindMAC(n, "10.0.1.11", "b8:ca:3a:00:00:03"), server, 443)
	scopes := map[string]string{"GRE with a key": "/gre-7", "ERSPAN III of IP": "/erspan-5-192.0.2.10", "Geneve": "/geneve-5", "Geneve within VXLAN": "/geneve-5", "VXLAN-GPE": "/vxlan-6"}
	var want []string
	for name, wrap := range wraps {
		at := "@local" + scopes[name]
		want = []string{"ip:10.0.1.10" + at + " [10.0.1.10]", "ip:10.0.1.11" + at + " [10.0.1.11]", "ip:10.0.2.20" + at + " [10.0.2.20]"}
		if got := devices(t, mirrored(n, wrap)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	frames := netsim.New(2)
	for _, f := range n.Frames() {
		frames.Raw(f.Time, frame(udp(4789, slices.Concat([]byte{8, 0, 0, 0, 0, 0, 9, 0}, f.Data))))
	}
	want = []string{"mac:b8:ca:3a:00:00:01 [10.0.2.20]", "mac:b8:ca:3a:00:00:02 [10.0.1.10]", "mac:b8:ca:3a:00:00:03 [10.0.1.11]"}
	if got := devices(t, frames); !slices.Equal(got, want) {
		t.Errorf("a mirror of frames: %q, want %q", got, want)
	}
}

// TestHostsBehindARepeater checks that two cameras and a telephone behind a repeater with one MAC are three devices, in any order of delivery and
// with any number of shards.
func TestHostsBehindARepeater(t *testing.T) {
	n := netsim.New(1)
	const repeater = "02:00:5e:40:00:01"
	viewer := behindMAC(n, "192.168.10.9", "02:00:5e:40:00:09")
	hosts := []*netsim.Host{behindMAC(n, "192.168.10.155", repeater), behindMAC(n, "192.168.10.152", repeater), behindMAC(n, "192.168.10.40", repeater)}
	stream := netsim.Stream{Path: "/11", Agent: "LibVLC", Server: "Hipcam RealServer/V1.0", Realm: "Hipcam RealServer/V1.0", User: "admin", Password: "secret-1", Packets: 2}
	for i := range 6 {
		at := began().Add(time.Duration(i) * time.Minute)
		for _, h := range hosts {
			at = n.ARP(at, viewer, h).Add(time.Second)
		}
		at = n.RTSP(at, viewer, hosts[0], stream).Add(time.Second)
		at = n.RTSP(at, viewer, hosts[1], stream).Add(time.Second)
		talks(n, at, hosts[2], viewer, 8443)
	}
	want := []string{"ip:192.168.10.152@local [192.168.10.152] camera", "ip:192.168.10.155@local [192.168.10.155] camera",
		"ip:192.168.10.40@local [192.168.10.40]", "mac:02:00:5e:40:00:09 [192.168.10.9]"}
	for seed := range uint64(3) {
		for _, shards := range []string{"1", "2", "4"} {
			if got := devices(t, delivered(n, seed), "--shards", shards); !slices.Equal(got, want) {
				t.Errorf("order %d, %s shards: %q, want %q", seed, shards, got, want)
			}
		}
	}
}

// delivered returns a capture with frames that a mirror with several queues has reordered; 0 is in order.
func delivered(n *netsim.Net, seed uint64) *netsim.Net {
	frames := n.Frames()
	order := make([]int, len(frames))
	x := rand.New(rand.NewPCG(seed, 1))
	place := make([]int, len(frames))
	for i := range order {
		order[i], place[i] = i, 10*i
		if seed > 0 {
			place[i] += x.IntN(60)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return place[a] - place[b] })
	out := netsim.New(4)
	for i, k := range order {
		out.Raw(frames[i].Time, frames[k].Data)
	}
	return out
}

// TestKeysDoNotDependOnDelivery checks that hosts on a segment, behind a router and in two VLANs have the same keys in any order of delivery and
// with any number of shards.
func TestKeysDoNotDependOnDelivery(t *testing.T) {
	n := netsim.New(1)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	server, pc := behindMAC(n, "10.20.1.5", "b8:ca:3a:00:00:05"), behindMAC(n, "10.20.1.6", "b8:ca:3a:00:00:06")
	second := behindMAC(n, "10.20.9.6", "b8:ca:3a:00:00:06")
	beyond := behindMAC(n, "10.30.1.7", "00:1b:54:00:00:01")
	beyond.Hops = 1
	abroad := n.External("198.51.100.66", netsim.Linux, 20*time.Millisecond)
	for i := range 4 {
		at := began().Add(time.Duration(i) * 20 * time.Second)
		talks(n, at, pc, server, 443)
		talks(n, at.Add(time.Second), second, server, 8443)
		talks(n, at.Add(2*time.Second), beyond, server, 443)
		talks(n, at.Add(3*time.Second), pc, abroad, 443)
		talks(n, at.Add(4*time.Second), pc, beyond, 22)
	}
	for i, f := range n.Frames() {
		if i%2 == 0 && f.Data[12] == 8 { // every other frame has a tag
			tagged := slices.Concat(f.Data[:12], []byte{0x81, 0, 0, 20}, f.Data[12:])
			n.Raw(f.Time.Add(time.Microsecond), tagged)
		}
	}
	keys := func(list []string) (all []string) {
		for _, d := range list {
			k, _, _ := strings.Cut(d, " ")
			all = append(all, k)
		}
		return all
	}
	want := []string{"ip:10.30.1.7@local", "mac:b8:ca:3a:00:00:05", "mac:b8:ca:3a:00:00:06"}
	for seed := range uint64(6) {
		if got := keys(devices(t, delivered(n, seed), "--shards", []string{"1", "2", "4"}[seed%3])); !slices.Equal(got, want) {
			t.Errorf("order %d: %q, want %q", seed, got, want)
		}
	}
}

// TestDeviceWithoutMACGetsItsMAC starts with a mirror of bare IP. Once the MAC is known, the device and its alerts continue under it.
func TestDeviceWithoutMACGetsItsMAC(t *testing.T) {
	inner := netsim.New(1)
	cam, peer := inner.Host("cam", silentAddr, silentMAC, netsim.Embedded), behindMAC(inner, "10.20.31.5", "b8:ca:3a:00:00:55")
	talks(inner, began(), cam, peer, 8443)
	n := mirrored(inner, func(ip []byte) []byte { return ipv4(47, slices.Concat([]byte{0, 0, 8, 0}, ip)) })
	talks(n, began().Add(time.Minute), cam, peer, 8443)
	x := tell(t, n, "--silent", silentAddr)
	var got []string
	for _, a := range x.alerts {
		if a["rule"].(map[string]any)["id"] == "D01" {
			got = append(got, fmt.Sprint(a["device"].(map[string]any)["key"], a["dedupe"].(map[string]any)["count"]))
		}
	}
	if want := []string{"mac:" + silentMAC + "2"}; !slices.Equal(got, want) {
		t.Errorf("D01 is %q, want %q", got, want)
	}
	if got, want := devices(t, n, "--silent", silentAddr), []string{"mac:" + silentMAC + " [" + silentAddr + "]", "mac:b8:ca:3a:00:00:55 [10.20.31.5]"}; !slices.Equal(got, want) {
		t.Errorf("devices are %q, want %q", got, want)
	}
}

// TestAlertsNameTheAddressOfTheirSession checks that a host with two addresses is one device, and that each alert names the address of its
// session.
func TestAlertsNameTheAddressOfTheirSession(t *testing.T) {
	n := netsim.New(1)
	peer := behindMAC(n, "10.20.31.5", "b8:ca:3a:00:00:55")
	for i, ip := range []string{"10.20.30.40", "10.20.30.41"} {
		h := behindMAC(n, ip, "02:00:5e:60:00:01")
		n.ARPRequest(began().Add(time.Duration(i)*time.Millisecond), h, peer.IP)
		talks(n, began().Add(time.Duration(5+i)*time.Second), h, peer, uint16(9001+i))
	}
	x := tell(t, n, "--silent", "10.20.30.0/24")
	found := 0
	for _, a := range x.alerts {
		if a["rule"].(map[string]any)["id"] != "D01" {
			continue
		}
		found++
		d, s := a["device"].(map[string]any), a["session"].(map[string]any)["initiator"].(map[string]any)
		if d["ip"] != s["ip"] || !strings.Contains(a["title"].(string), s["ip"].(string)) || d["key"] != "mac:02:00:5e:60:00:01" {
			t.Errorf("%v is about %v, its session is of %v", a["title"], d, s["ip"])
		}
	}
	if found != 2 {
		t.Errorf("%d alerts, want 2", found)
	}
}

// TestNoDeviceHasTheBroadcastAddress answers an ARP request for the broadcast address.
func TestNoDeviceHasTheBroadcastAddress(t *testing.T) {
	n := netsim.New(1)
	pc, speaker := behindMAC(n, "192.168.1.128", "02:00:5e:30:00:02"), behindMAC(n, "192.168.1.176", "02:00:5e:30:00:01")
	n.ARP(began(), pc, speaker)
	n.ARP(began().Add(time.Second), pc, behindMAC(n, "192.168.1.255", "02:00:5e:30:00:01"))
	n.UDP(began().Add(2*time.Second), pc, 137, n.Host("all", "192.168.1.255", toAll, netsim.Linux), 137, make([]byte, 50))
	want := []string{"mac:02:00:5e:30:00:01 [192.168.1.176]", "mac:02:00:5e:30:00:02 [192.168.1.128]"}
	if got := devices(t, n); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestClientsOfDHCP has a repeater that puts its own MAC into the frames of its client, but not into DHCP: the client is known by the MAC in
// DHCP. Clients that request an address at the same time are not taken for repeaters.
func TestClientsOfDHCP(t *testing.T) {
	n := netsim.New(1)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	server := behindMAC(n, "10.20.1.5", "b8:ca:3a:00:00:05")
	for i := range 3 {
		at, c := began().Add(time.Duration(i)*time.Second), behindMAC(n, fmt.Sprintf("10.20.1.%d", 40+i), fmt.Sprintf("b8:ca:3a:00:00:4%d", i))
		n.DHCPBoot(at, c, server, netsim.Lease{Hostname: fmt.Sprintf("tablet-%d", i)})
		talks(n, at.Add(time.Minute), c, server, 443)
		n.ARP(at.Add(2*time.Minute), server, c)
	}
	client, _ := net.ParseMAC("b8:ca:3a:00:00:42")
	repeater, _ := net.ParseMAC("02:0f:b5:00:00:42")
	for _, f := range n.Frames() {
		for _, at := range []int{0, 6, 22} { // 22: the sender of ARP
			if bytes.Equal(f.Data[at:at+6], client) && (at < 22 || f.Data[13] == 6) {
				copy(f.Data[at:], repeater)
			}
		}
	}
	want := []string{"mac:b8:ca:3a:00:00:05 [10.20.1.5]", "mac:b8:ca:3a:00:00:40 [10.20.1.40]", "mac:b8:ca:3a:00:00:41 [10.20.1.41]", "mac:b8:ca:3a:00:00:42 [10.20.1.42]"}
	for seed := range uint64(3) {
		if got := devices(t, delivered(n, seed)); !slices.Equal(got, want) {
			t.Errorf("order %d: %q, want %q", seed, got, want)
		}
	}
}
