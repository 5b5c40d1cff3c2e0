// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"net/netip"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func FuzzDHCP(f *testing.F) {
	f.Add(dissecttest.DHCPPacket(53, "\x03", 52, "\x03", 55, "\x01\x03\x06", 12, "cam"))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		before := string(b)
		if m, ok := readDHCP(b); ok && (len(m.Hostname) > 4*255 || len(m.ParamList) > len(b)) {
			t.Fatalf("%+v", m)
		}
		if string(b) != before {
			t.Fatal("the datagram was written to")
		}
	})
}

func FuzzDHCPv6(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x01\x00\x01\x00\x0a\x00\x03\x00\x01\x02\x00\x00\x00\x00\x05"))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		if m, ok := readDHCPv6(b); ok && (len(m.Addrs) > maxDHCP6Addrs || len(m.OptionRequest) > maxOptionCodes) {
			t.Fatalf("%+v", m)
		}
	})
}

func FuzzNTP(f *testing.F) {
	f.Add([]byte("\x23" + strings.Repeat("\x00", 47)))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		new(ntpDatagrams).Datagram(dissect.FromClient, b, func(x dissect.Fact) {
			if m := x.(*dissect.NTPMessage); m.Mode == 0 || m.Mode > 7 {
				t.Fatalf("%+v", m)
			}
		})
	})
}

func FuzzARP(f *testing.F) {
	f.Add([]byte("\x00\x01\x08\x00\x06\x04\x00\x01abcdefghijklmnopqrst"))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		if m, ok := ParseARP(b, [6]byte{}, [6]byte{}); ok && (m.Probe && m.Gratuitous || !m.SenderIP.Is4()) {
			t.Fatalf("%+v", m)
		}
	})
}

func FuzzND(f *testing.F) {
	f.Add(append([]byte{136, 0, 0, 0, 0x60, 0, 0, 0}, "0123456789abcdef\x02\x01abcdef"...))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		if m, ok := ParseND(b, netip.Addr{}, netip.Addr{}, [6]byte{}); ok && len(m.Prefixes) > maxPrefixes {
			t.Fatalf("%d prefixes", len(m.Prefixes))
		}
	})
}
