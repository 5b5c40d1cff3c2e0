// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"net/netip"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// adminPort reports whether a port is one by which devices are administered.
func adminPort(p uint16) bool {
	switch p {
	case 22, 23, 80, 443, 445, 554, 2323, 3389, 5555, 5900, 8000, 8080, 8291, 8443, 8899, 9000, 34567, 37777, 37810:
		return true
	}
	return false
}

// Contact is a session of a device as its contract sees it.
type Contact struct {
	Key
	port   uint16         // of the server; the key has no dynamic ports
	far    netip.Addr     // of the other end
	peer   *device.Device // at the other end, nil if it is none
	inside bool           // the other end is in the watched network
}

// ContactOf returns what a contract sees of a session of a device. name is the trusted name of the responder, and peer the device at the other end.
func (b *Registry) ContactOf(dir session.Dir, v *session.View, app, name string, peer *device.Device) Contact {
	far := &v.Responder
	if dir == session.In {
		far = &v.Initiator
	}
	a := far.Addr.Netip()
	return Contact{Key: b.KeyOf(dir, v, app, name, peer), port: v.Responder.Port, far: a, peer: peer, inside: peer != nil || inAny(b.infra.internal, a)}
}

// KeyOf returns the key of a session of a device. name is the trusted name of the responder, and peer the device at the other end.
func (b *Registry) KeyOf(dir session.Dir, v *session.View, app, name string, peer *device.Device) Key {
	k := Key{Dir: dir, Proto: v.Proto, Port: serverPort(v), App: app}
	far := &v.Responder
	if dir == session.In {
		far = &v.Initiator
	}
	k.Peer = b.peerKey(dir, far.Addr, name, peer)
	return k
}

func (b *Registry) peerKey(dir session.Dir, far packet.Addr, name string, peer *device.Device) PeerKey {
	a := far.Netip()
	if e := b.Entry(peer); e != nil && b.NamesDevice(peer) && printable(e.Name) {
		return PeerKey{Kind: ByDevice, Text: e.Name}
	}
	if z := b.Zone(a); printable(z) {
		return PeerKey{Kind: ByZone, Text: z}
	}
	inside := peer != nil || inAny(b.infra.internal, a)
	if dir == session.In {
		if inside {
			return PeerKey{Kind: Inside}
		}
		return PeerKey{Kind: Outside}
	}
	if n, ok := hostName(name); ok {
		return PeerKey{Kind: ByName, Text: n}
	}
	if inside {
		return networkOf(a, a.BitLen())
	}
	if n, _ := enrich.ASN(a); n != 0 {
		country, _ := enrich.Country(a)
		return PeerKey{Kind: BySystem, Number: n, Text: country}
	}
	return outsideNetwork(a)
}
