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
	if step < FactRead || app == nil || saysNothing(app.Name) || v.ToGroup() || !v.Opened() || r.Opening(v) != Opens || v.Proto == protoTCP && !v.Answered() {
		return
	}
	r.observe(d, evidence.Uses, app.Name, now)
}

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
	a := v.Initiator.Addr
	h := (binary.LittleEndian.Uint64(a[:8]) ^ binary.LittleEndian.Uint64(a[8:])) * 0x9e3779b97f4a7c15
	if bit := uint64(1) << (h >> 58); d.clients&bit == 0 {
		d.clients |= bit
		r.changed(d)
	}
	if bits.OnesCount64(d.clients) >= manyClients {
		r.observe(d, evidence.ManyClients, "answers more than 12 clients in a day", v.Start)
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
