// SPDX-License-Identifier: Apache-2.0

package trace

import "math/rand/v2"

// victim is the target of the floods, on the local segment.
func victim() *host { return &host{ip: ipOf(10, 1, 0, 10), mac: macOf(cardVMware, 10), ttl: 64} }

// each calls one with the time of each packet of a flood; the packets are evenly spaced.
func (g *generator) each(one func(i int, t int64)) error {
	span := float64(g.end - g.Start)
	for i := 0; i < g.Packets && g.out.err == nil; i++ {
		one(i, g.Start+int64(span*float64(i)/float64(g.Packets)))
	}
	return nil
}

// anywhere returns a random address that is not multicast, loopback or in 10.0.0.0/8.
func anywhere(r *rand.Rand) uint32 {
	for {
		ip := r.Uint32()
		if first := ip >> 24; first > 10 && first < 224 && first != 127 {
			return ip
		}
	}
}

// synFlood sends SYNs from random sources to one port.
func (g *generator) synFlood() error {
	target := victim()
	return g.each(func(_ int, t int64) {
		r := g.rng.Uint64()
		from := host{ip: anywhere(g.rng), mac: gatewayMAC(), ttl: uint8(40 + r&15)}
		g.out.tcp(t, &segment{
			src: &from, dst: target, srcMAC: from.mac, dstMAC: target.mac, srcPort: uint16(r>>16) | 1024, dstPort: 443,
			seq: uint32(r >> 32), id: uint16(r >> 8), flags: flagSYN, options: synOptions[:],
		})
	})
}

// macFlood sends frames with random source and destination MAC addresses, like tools that overflow the table of a
// switch.
func (g *generator) macFlood() error {
	return g.each(func(_ int, t int64) {
		r := g.rng.Uint64()
		from := host{ip: anywhere(g.rng), mac: macOf(uint32(r>>8)&0xfcffff, uint32(r>>32)), ttl: 64}
		to := host{ip: anywhere(g.rng), mac: macOf(g.rng.Uint32()&0xfcffff, g.rng.Uint32())}
		g.out.tcp(t, &segment{
			src: &from, dst: &to, srcMAC: from.mac, dstMAC: to.mac, srcPort: uint16(r), dstPort: uint16(r >> 16),
			seq: g.rng.Uint32(), id: uint16(r >> 24), flags: flagSYN,
		})
	})
}

// dnsFlood queries names that do not exist, each answered at once: half as many names as packets.
func (g *generator) dnsFlood() error {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	n := g.office600()
	var d *dialogue
	var f flow
	return g.each(func(i int, t int64) {
		if i%2 == 0 {
			name := make([]byte, 16)
			for k, r := 0, g.rng.Uint64(); k < len(name); k, r = k+1, r>>4^r<<60 {
				name[k] = letters[r&31]
			}
			d = dnsDialogue(string(name)+".flood.example", 1, 0, 3)
			h := n.local[i/2%len(n.local)]
			f = flow{id: g.rng.Uint64(), d: d, c: h, s: n.infra, cport: g.port(h), sport: 53}
		}
		f.next = t
		g.say(&f, i%2)
	})
}

// fragFlood sends fragments (RFC 791 section 3.2) of datagrams that are never complete.
func (g *generator) fragFlood() error {
	const moreFragments, size = 0x2000, 64
	target := victim()
	return g.each(func(i int, t int64) {
		r := g.rng.Uint64()
		b := g.out.padded(t, ethLen+ipLen+size)
		ethernet(b, target.mac, gatewayMAC(), 0x0800)
		ip := b[ethLen:]
		field := uint16(moreFragments)
		if i%2 == 1 {
			field |= uint16(r>>48) % 1000
		}
		ipv4(ip, anywhere(g.rng), target.ip, udp, 50, ipLen+size, uint16(r), field)
		copy(ip[ipLen:], g.noise[r>>16%noiseLen:][:size])
		be.PutUint16(ip[ipLen+2:], 53)
		be.PutUint16(ip[ipLen+4:], 4000)
	})
}
