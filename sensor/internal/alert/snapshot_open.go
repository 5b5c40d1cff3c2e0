// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/snapshot"
)

// maxWindow bounds the window of a restored alert, in seconds: a year.
const maxWindow = 366 * 24 * 60 * 60

// walkOpen walks an open alert without its id; in is the id of its incident, "" if that is over.
func walkOpen(c *snapshot.Codec, o *open, in *string, r *device.Registry) {
	for _, s := range []*string{&o.key.rule, &o.key.device, &o.key.key, in, &o.state.expect} {
		c.String(s)
	}
	c.Uint(&o.seq)
	c.Uint(&o.mark.turn)
	c.Uint(&o.mark.pendingSince)
	snapshot.Enum(c, &o.sev, detect.Critical)
	c.Float(&o.standingP.reliability)
	c.Float(&o.standingP.quality)
	snapshot.Pointer(c, &o.state.silentFor, func(s *int64) { c.Time(s) })
	for _, t := range []*int64{&o.firstSeen, &o.lastSeen, &o.touched, &o.created, &o.due, &o.revisedAt, &o.window} {
		c.Time(t)
	}
	for _, n := range []*int{&o.count, &o.revisedCount, &o.revision} {
		c.Int(n)
	}
	texts(c, &o.related, maxRelated)
	texts(c, &o.entities, maxEntities)
	snapshot.List(c, &o.taken, maxTaken, func(x *taken) {
		for _, s := range []*string{&x.rule, &x.device, &x.key, &x.title, &x.host, &x.service} {
			c.String(s)
		}
		c.Time(&x.at)
	})
	c.String(&o.said.title)
	c.String(&o.said.brief)
	c.Time(&o.said.at)
	c.Bool(&o.listed)
	c.Bool(&o.wide)
	c.String(&o.by)
	c.String(&o.actUnder)
	snapshot.Pointer(c, &o.packets, func(p *packets) {
		c.String(&p.summary)
		c.String(&p.file.Name)
		c.String(&p.file.SHA256)
		c.Int(&p.file.Packets)
	})
	c.Bool(&o.dirty)
	c.Bool(&o.pending)
	walkFinding(c, o.f, r)
	if o.count < 1 || o.revisedCount < 0 || o.revision < 1 || o.window < 1 || o.window > maxWindow {
		c.Fail()
	}
}

func texts(c *snapshot.Codec, list *[]string, limit int) {
	snapshot.List(c, list, limit, func(s *string) { c.String(s) })
}

// walkIncident walks an incident without its id. keys are the devices under which it is stored.
func walkIncident(c *snapshot.Codec, in *incident, keys *[]string, r *device.Registry) {
	c.String(&in.key)
	about := in.device != nil
	c.Bool(&about)
	r.Ref(c, &in.device)
	if about && in.device == nil { // evicted since: the incident continues without it
		in.device = &device.Device{Key: in.key}
	}
	for _, t := range []*int64{&in.first, &in.until} {
		c.Time(t)
	}
	c.Uint(&in.mark.turn)
	c.Float(&in.reportedP)
	c.Int(&in.reportedN)
	c.Bool(&in.severe)
	c.Bool(&in.changed)
	in.account.walk(c)
	snapshot.List(c, &in.members, maxMembers, func(x *member) { x.walk(c) })
	texts(c, keys, maxSpread)
}

func (x *member) walk(c *snapshot.Codec) {
	for _, s := range []*string{&x.rule, &x.kind, &x.device, &x.key, &x.addr, &x.title, &x.brief} {
		c.String(s)
	}
	c.Time(&x.at)
	snapshot.Enum(c, &x.sev, detect.Critical)
	c.Float(&x.r)
	c.Float(&x.q)
	snapshot.Enum(c, &x.stage, detect.StageOutbound)
	c.Bool(&x.standing)
	c.Bool(&x.external)
	snapshot.Enum(c, &x.coveredBy, explained)
	c.Bool(&x.suppressed)
	texts(c, &x.peers, maxRelated)
	texts(c, &x.related, maxRelated)
}
