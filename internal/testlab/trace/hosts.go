// SPDX-License-Identifier: Apache-2.0

package trace

import "fmt"

// network is the office: one local segment, a router with the other floors behind it, and a gateway to the internet.
type network struct {
	local, far, all []*host // workstations
	cameras         []*host
	printers        []*host
	shells          []*host // servers with SSH
	recorder        *host
	infra           *host // DNS, NTP, DHCP
	files           *host
	sites           []*host // on the internet
	names           []string
}

// The vendors of the network cards, by their first three bytes.
const (
	cardDell      = 0x001422
	cardHP        = 0x3c5282
	cardApple     = 0xf01898
	cardVMware    = 0x005056
	cardHikvision = 0x4419b6
	cardDahua     = 0x3cef8c
	cardAxis      = 0x00408c
	cardIntel     = 0x001b21
)

// macOf returns an address of a vendor.
func macOf(vendor, n uint32) mac {
	return mac{byte(vendor >> 16), byte(vendor >> 8), byte(vendor), byte(n >> 16), byte(n >> 8), byte(n)}
}

// ipOf returns the IPv4 address of four bytes.
func ipOf(a, b, c, d int) uint32 { return uint32(a)<<24 | uint32(b)<<16 | uint32(c)<<8 | uint32(d) }

// The two routers of every trace.
func gatewayMAC() mac { return macOf(cardIntel, 1) }
func routerMAC() mac  { return macOf(cardIntel, 2) }

func (g *generator) office600() *network {
	n := &network{
		infra:    &host{ip: ipOf(10, 1, 0, 2), mac: macOf(cardVMware, 2), ttl: 64},
		files:    &host{ip: ipOf(10, 1, 0, 10), mac: macOf(cardVMware, 10), ttl: 128},
		recorder: &host{ip: ipOf(10, 1, 9, 250), mac: macOf(cardHikvision, 250), ttl: 64},
	}
	vendors := []uint32{cardDell, cardHP, cardApple, cardVMware}
	for i := range 200 {
		n.local = append(n.local, &host{ip: ipOf(10, 1, 1, 10+i), mac: macOf(vendors[i%4], uint32(i)), ttl: 64 << (i & 1)})
	}
	for i := range 400 {
		n.far = append(n.far, &host{ip: ipOf(10, 2+i/100, 1, 10+i%100), mac: routerMAC(), ttl: 127, far: true})
	}
	n.all = append(append(n.all, n.local...), n.far...)
	vendors = []uint32{cardHikvision, cardHikvision, cardDahua, cardAxis}
	for i := range 40 {
		n.cameras = append(n.cameras, &host{ip: ipOf(10, 1, 9, 10+i), mac: macOf(vendors[i%4], uint32(i)), ttl: 64})
	}
	for i := range 10 {
		n.printers = append(n.printers, &host{ip: ipOf(10, 1, 8, 10+i), mac: macOf(cardHP, uint32(5000+i)), ttl: 255})
		n.shells = append(n.shells, &host{ip: ipOf(10, 1, 0, 20+i), mac: macOf(cardVMware, uint32(20+i)), ttl: 64})
	}
	n.sites, n.names = g.internet(120)
	return n
}

// internet returns external hosts with names.
func (g *generator) internet(count int) (hosts []*host, names []string) {
	words := []string{"mail", "cdn", "login", "api", "news", "store", "static", "docs", "chat", "update", "media", "shop"}
	tops := []string{"example.com", "example.net", "example.org", "cloud.example", "corp.example"}
	for i := range count {
		ip := ipOf(100+g.rng.IntN(100), 1+g.rng.IntN(254), g.rng.IntN(256), 1+g.rng.IntN(254))
		hosts = append(hosts, &host{ip: ip, mac: gatewayMAC(), ttl: uint8(45 + g.rng.IntN(15)), far: true})
		names = append(names, words[i%len(words)]+string(rune('a'+i/len(words)))+"."+tops[i%len(tops)])
	}
	return hosts, names
}

// dotted formats an IPv4 address.
func dotted(ip uint32) string {
	return fmt.Sprintf("%d.%d.%d.%d", ip>>24, ip>>16&255, ip>>8&255, ip&255)
}
