// SPDX-License-Identifier: Apache-2.0

package evasion

import (
	"time"

	"github.com/google/gopacket/layers"

	"stillwatch/internal/testlab/netsim"
)

// addresses are attacks under the address of another.
func addresses() []Case {
	const group = "Addresses of others"
	return []Case{
		{Name: "spoofed-ip", Group: group, Rule: "D36", Device: "mac:00:1e:c9:00:00:21",
			Trick: "A host takes the IP address from which the inventory allows the recorder to be used, with its own MAC.",
			build: func(s *site) {
				s.look(s.Host("", "10.20.50.21", "00:e0:4c:00:00:99", netsim.Linux))
			}},
		{Name: "spoofed-mac", Group: group, Rule: "D36", Device: "mac:00:1e:c9:00:00:21",
			Trick:  "A host takes both addresses, IP and MAC, while their owner is off.",
			Missed: "The two differ in the TCP/IP stack only; a second operating system on one computer looks the same.",
			build: func(s *site) {
				s.look(s.Host("", "10.20.50.21", "00:1e:c9:00:00:21", netsim.Linux))
			}},
		{Name: "spoofed-camera", Group: group, Rule: "D01", Device: "cam-01",
			Trick: "A computer takes both addresses of a camera and opens sessions.",
			build: func(s *site) {
				h := s.Host("", "10.20.30.11", "44:19:b6:00:01:01", netsim.Windows)
				s.talk(s.start, h, s.gate, 443, 2000, 9000)
			}},
		{Name: "spoofed-arp", Group: group, Rule: "D38", Device: "mac:00:e0:4c:00:00:99",
			Trick: "A host sends ARP replies for the address of the recorder to the operator, who did not ask.",
			build: func(s *site) {
				h := s.Host("", "10.20.30.5", "00:e0:4c:00:00:99", netsim.Linux)
				s.every(10*time.Second, 12, func(_ int, at time.Time) { s.unasked(at, h, s.admin) })
			}},
		{Name: "spoofed-arp-answers", Group: group, Rule: "D38", Device: "mac:00:e0:4c:00:00:99",
			Trick:  "A host answers ARP requests for the address of the recorder, and only those, while the recorder does not.",
			Missed: "A host that got the address answers in the same way; two that answer are a dispute.",
			build: func(s *site) {
				h := s.Host("", "10.20.30.5", "00:e0:4c:00:00:99", netsim.Linux)
				s.every(10*time.Second, 12, func(_ int, at time.Time) { s.ARP(at, s.admin, h) })
			}},
	}
}

// look uses the web page of the recorder.
func (s *site) look(from *netsim.Host) {
	for i := range 3 {
		s.Dial(s.start.Add(time.Duration(i)*time.Minute), from, s.nvr, 80).HTTP(netsim.Request{Method: "GET", URI: "/doc/page/preview.asp"}, netsim.Response{Status: 200, Body: "<html>"}).Close()
	}
}

// unasked adds an ARP reply of a host about itself to another.
func (s *site) unasked(at time.Time, h, to *netsim.Host) {
	s.Raw(at, serialize(&layers.Ethernet{SrcMAC: h.MAC, DstMAC: to.MAC, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPReply,
			SourceHwAddress: h.MAC, SourceProtAddress: h.IP.AsSlice(), DstHwAddress: to.MAC, DstProtAddress: to.IP.AsSlice()}))
}
