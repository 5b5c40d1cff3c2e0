// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// What a device does in its sessions is evidence of its role. The counts are sums or sets, so that they do not depend on the order of sessions.

const (
	fanOut      = 3   // servers of streams that make a recorder or a platform
	manyClients = 12  // bits of 64, after some 13 different clients
	mediaRun    = 100 // packets of media in one direction, with at most one in mediaShare in the other
	mediaShare  = 20
)

// uses weighs the protocol that a device speaks as a client, by the bytes of the session. Unanswered datagrams count: those of NetFlow have no
// answer.
func (r *Registry) uses(d *Device, step Step, v *session.View, app *fingerprint.App, now int64) {
	if step == Opened && v.Group && v.Proto != protoUDP {
		r.say(d, evidence.Uses, routingHello(v), now)
	}
	if step < FactRead || app == nil || saysNothing(app.Name) || v.ToGroup() && !greets(app.Name) || !v.Opened() || r.Opening(v) != Opens || v.Proto == protoTCP && !v.Answered() {
		return
	}
	r.observe(d, evidence.Uses, app.Name, now)
}

// routingHello returns the routing protocol with which a router greets the others on its link, "" if the session is none: the protocol and the
// group of OSPF (RFC 2328), EIGRP (RFC 7868), PIM (RFC 7761) and VRRP (RFC 9568), with a TTL that no router forwards or that none has forwarded.
func routingHello(v *session.View) string {
	a, ttl := &v.Responder.Addr, v.Initiator.TTL
	if !a.Is4() || a[12] != 224 || a[13] != 0 || a[14] != 0 || ttl > 2 && ttl != 255 {
		return ""
	}
	switch {
	case v.Proto == 88 && a[15] == 10:
		return "eigrp"
	case v.Proto == 89 && (a[15] == 5 || a[15] == 6):
		return "ospf"
	case v.Proto == 103 && a[15] == 13:
		return "pim"
	case v.Proto == 112 && a[15] == 18 && ttl == 255:
		return "vrrp"
	}
	return ""
}

// greets reports whether a protocol over UDP is sent to a group by routers and access points only.
func greets(app string) bool { return app == "hsrp" || app == "capwap" }

// saysNothing reports whether a protocol is so common that using it is no evidence of a role. Most sessions end here.
func saysNothing(app string) bool {
	switch app {
	case "", "tls", "http", "dns":
		return true
	}
	return false
}

// streams weighs media that a device sends in a direction and that goes one way: it is a source of pictures, and not one end of a call.
func (r *Registry) streams(d *Device, step Step, v *session.View, app *fingerprint.App, dir session.Dir, now int64) {
	if step < Progress || v.OneDirection || app == nil || app.Name != "rtp" {
		return
	}
	if sent := v.Packets[dir]; sent >= mediaRun && v.Packets[1-dir] <= sent/mediaShare {
		r.observe(d, evidence.SendsMedia, "rtp in one direction", now)
	}
}

// servedClient counts the different internal clients that got data from a device on this day, by linear counting over 64 bits.
func (r *Registry) servedClient(d *Device, v *session.View) {
	if v.PayloadBytes[session.In] == 0 || Infrastructure(v) || !r.InternalAddr(v.Initiator.Addr) {
		return
	}
	if bit := addrBit(v.Initiator.Addr); d.clients&bit == 0 {
		d.clients |= bit
		r.changed(d)
	}
	if bits.OnesCount64(d.clients) >= manyClients {
		r.observe(d, evidence.ManyClients, "answers more than 12 clients in a day", v.Start)
	}
}

// addrBit returns the bit of an address in a linear counter.
func addrBit(a packet.Addr) uint64 {
	h := (binary.LittleEndian.Uint64(a[:8]) ^ binary.LittleEndian.Uint64(a[8:])) * 0x9e3779b97f4a7c15
	return 1 << (h >> 58)
}

// serveThing counts the internal devices that keep a session with d in a protocol of things: with several of them behind it, d is a hub or
// the broker of one.
func (r *Registry) serveThing(d *Device, v *session.View, app *fingerprint.App) {
	if app == nil || app.Name != "mqtt" && app.Name != "coap" && app.Name != "tuya" || v.PayloadBytes[session.In] == 0 || v.ToGroup() || !r.InternalAddr(v.Initiator.Addr) {
		return
	}
	if bit := addrBit(v.Initiator.Addr); d.things&bit == 0 {
		d.things |= bit
		r.changed(d)
	}
	if bits.OnesCount64(d.things) >= fanOut {
		r.observe(d, evidence.ManyClients, "hub: at least 3 devices keep sessions with it", v.Start)
	}
}

// pullsFrom weighs a server that a device takes a stream from.
func (r *Registry) pullsFrom(client *Device, server packet.Addr, now int64) {
	if client != nil && r.pulled(client, server) >= fanOut {
		r.observe(client, evidence.PullsRTSP, "streams of at least 3 servers", now)
		r.platform(client, now)
	}
}

// platform weighs that a device takes streams, keeps a database and serves pages.
func (r *Registry) platform(d *Device, now int64) {
	serves := func(apps ...string) bool {
		return slices.ContainsFunc(d.Serves, func(s Serve) bool { return slices.Contains(apps, s.App) })
	}
	if len(r.pulls[d.ID]) >= fanOut && serves("http", "tls") && serves("postgresql", "mysql", "mssql", "oracle", "mongodb", "redis") {
		r.observe(d, evidence.Platform, "database, web and streams of at least 3 servers", now)
	}
}
