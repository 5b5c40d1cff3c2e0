// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/pipeline"
)

func be16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

func ipv4(proto byte, src, dst [4]byte, payload []byte) []byte {
	return slices.Concat([]byte{0x45, 0}, be16(20+len(payload)), be32(0x00010000), []byte{64, proto, 0, 0}, src[:], dst[:], payload)
}

func etherFrame(src, dst byte, payload []byte) []byte {
	return slices.Concat([]byte{0, 0x1b, 0x54, 0, 0, dst, 0, 0x1b, 0x54, 0, 0, src, 8, 0}, payload)
}

func overUDP(port int, payload []byte) []byte {
	return ipv4(17, [4]byte{192, 0, 2, 1}, [4]byte{192, 0, 2, 2}, slices.Concat(be16(50000), be16(port), be16(8+len(payload)), be16(0), payload))
}

// conversation returns the frames of a TCP session of two hosts at one site, with the MAC numbers a and b.
func conversation(a, b byte, wrap func(frame []byte) []byte) (frames [][]byte) {
	one, two := [4]byte{192, 168, 1, 30}, [4]byte{192, 168, 1, 20}
	for i, flags := range []byte{2, 0x12, 0x10, 0x18, 0x18} {
		src, dst, from, to, sp, dp, seq, ack := a, b, one, two, 40000, 8554, 1000, 2000
		if i == 1 || i == 4 {
			src, dst, from, to, sp, dp, seq, ack = b, a, two, one, 8554, 40000, 2000, 1001
		}
		if i > 1 {
			seq++
		}
		tcp := slices.Concat(be16(sp), be16(dp), be32(seq), be32(ack), []byte{0x50, flags, 0x20, 0, 0, 0, 0, 0}, []byte("hello")[:5*(i/3)])
		frames = append(frames, wrap(etherFrame(src, dst, ipv4(6, from, to, tcp))))
	}
	return frames
}

// resolves returns the frames of an ARP request from the host with MAC number a to the one with b, and of the reply.
func resolves(a, b byte, wrap func(frame []byte) []byte) [][]byte {
	one, two := [4]byte{192, 168, 1, 30}, [4]byte{192, 168, 1, 20}
	arp := func(op int, from, to, dst byte, src, target [4]byte) []byte {
		f := etherFrame(from, dst, slices.Concat(be16(1), be16(0x800), []byte{6, 4}, be16(op), []byte{0, 0x1b, 0x54, 0, 0, from}, src[:], []byte{0, 0x1b, 0x54, 0, 0, to}, target[:]))
		f[13] = 6
		if dst == 0xff {
			copy(f, "\xff\xff\xff\xff\xff\xff")
		}
		return wrap(f)
	}
	return [][]byte{arp(1, a, 0, 0xff, one, two), arp(2, b, a, a, two, one)}
}

func captureFile(t *testing.T, frames [][]byte) string {
	t.Helper()
	file := []byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x01\x00\x00\x00")
	for i, f := range frames {
		for _, v := range []int{1_700_000_000, 1000 * i, len(f), len(f)} {
			file = binary.LittleEndian.AppendUint32(file, uint32(v))
		}
		file = append(file, f...)
	}
	path := filepath.Join(t.TempDir(), "sites.pcap")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestVLANsWithTheSameAddresses mirrors two VLANs in which different stations have the same private addresses: each has its sessions and
// devices. One network whose directions have different tags, and a host in two VLANs, are not separated.
func TestVLANsWithTheSameAddresses(t *testing.T) {
	tag := func(id int) func([]byte) []byte {
		return func(f []byte) []byte { return slices.Concat(f[:12], []byte{0x81, 0}, be16(id), f[12:]) }
	}
	none := func(f []byte) []byte { return f }
	both := func(id, other int) func([]byte) []byte { // frames of the station 2 have the other tag
		return func(f []byte) []byte {
			if f[11] == 2 {
				id = other
			}
			return tag(id)(f)
		}
	}
	for name, c := range map[string]struct {
		one, two func([]byte) []byte
		a, b     byte // MAC numbers at the second site
		spaces   uint64
		devices  int
	}{
		"two VLANs":              {tag(10), tag(20), 3, 4, 1, 4},
		"a VLAN and no tag":      {none, tag(20), 3, 4, 1, 4},
		"no tag, after a VLAN":   {tag(20), none, 3, 4, 1, 4},
		"double tags":            {tag(10), func(f []byte) []byte { return tag(10)(tag(7)(f)) }, 3, 4, 1, 4},
		"one network, two tags":  {tag(10), tag(20), 1, 2, 0, 2},
		"a tag a direction":      {both(10, 20), both(10, 20), 1, 2, 0, 2},
		"two hosts in one VLAN":  {tag(10), tag(10), 3, 4, 0, 0},
		"another host, no reply": {tag(10), func(f []byte) []byte { return tag(int(f[11]) + 20)(f) }, 3, 4, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			frames := slices.Concat(resolves(1, 2, c.one), resolves(c.a, c.b, c.two))
			a, b := conversation(1, 2, c.one), conversation(c.a, c.b, c.two)
			for i := range a {
				frames = append(frames, a[i], b[i])
			}
			devices := map[string]bool{}
			sessions := 0
			sum, err := run(t, captureFile(t, frames), pipeline.Output{
				Session: func(s *schemas.Session) error { sessions++; return nil },
				Device: func(d *schemas.Device) error {
					if len(d.IPs) == 1 {
						devices[d.Key] = true
					}
					return nil
				},
			})
			if err != nil || sum.Counters["address_spaces"] != c.spaces {
				t.Errorf("%v, %d address spaces, want %d", err, sum.Counters["address_spaces"], c.spaces)
			}
			if c.devices > 0 && (len(devices) != c.devices || sessions != c.devices/2) {
				t.Errorf("%d sessions, devices %v, want %d", sessions, devices, c.devices)
			}
		})
	}
}

// TestSitesWithTheSameAddresses mirrors two sites with the same private addresses through tunnels: each site has its sessions and devices.
func TestSitesWithTheSameAddresses(t *testing.T) {
	vxlan := func(vni int) func([]byte) []byte {
		return func(f []byte) []byte {
			return etherFrame(0xee, 0xef, overUDP(4789, slices.Concat([]byte{8, 0, 0, 0}, be32(vni<<8), f)))
		}
	}
	geneve := func(vni int) func([]byte) []byte {
		return func(f []byte) []byte {
			return etherFrame(0xee, 0xef, overUDP(6081, slices.Concat([]byte{0, 0, 0x65, 0x58}, be32(vni<<8), f)))
		}
	}
	gre := func(key int) func([]byte) []byte {
		return func(f []byte) []byte {
			return etherFrame(0xee, 0xef, ipv4(47, [4]byte{192, 0, 2, 1}, [4]byte{192, 0, 2, 2}, slices.Concat([]byte{0x20, 0, 8, 0}, be32(key), f[14:])))
		}
	}
	for name, c := range map[string]struct {
		one, two func([]byte) []byte
		key      string // of a device of the second site
	}{
		"VXLAN":  {vxlan(100), vxlan(200), "mac:00:1b:54:00:00:04"},
		"Geneve": {geneve(100), geneve(200), "mac:00:1b:54:00:00:04"},
		"GRE":    {gre(5), gre(6), "ip:192.168.1.20@local/gre-6"},
	} {
		a, b := conversation(1, 2, c.one), conversation(3, 4, c.two)
		var frames [][]byte
		for i := range a {
			frames = append(frames, a[i], b[i])
		}
		path := captureFile(t, frames)
		var sessions []*schemas.Session
		devices := map[string]int{}
		sum, err := run(t, path, pipeline.Output{
			Session: func(s *schemas.Session) error { kept := *s; sessions = append(sessions, &kept); return nil },
			Device: func(d *schemas.Device) error {
				if len(d.IPs) == 1 && strings.HasPrefix(d.IPs[0].String(), "192.168.") {
					devices[d.Key]++
				}
				return nil
			},
		})
		if err != nil || sum.Counters["address_spaces"] == 0 {
			t.Errorf("%s: %v, %d address spaces", name, err, sum.Counters["address_spaces"])
		}
		if len(sessions) != 2 {
			t.Fatalf("%s: %d sessions", name, len(sessions))
		}
		for _, s := range sessions {
			if s.PacketsOut != 3 || s.PacketsIn != 2 || s.State != "established" || s.Responder.IP.String() != "192.168.1.20" || len(s.Encap) != 1 {
				t.Errorf("%s: %+v", name, s)
			}
		}
		if *sessions[0].Encap[0].ID == *sessions[1].Encap[0].ID {
			t.Errorf("%s: both sessions are in one tunnel", name)
		}
		if len(devices) != 4 || devices[c.key] != 1 {
			t.Errorf("%s: devices %v", name, devices)
		}
	}
}
