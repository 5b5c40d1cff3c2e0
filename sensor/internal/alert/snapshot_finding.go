// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"encoding/json"
	"math"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/intel"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

// maxReasons bounds the reasons of a restored finding.
const maxReasons = 64

// maxTechniques bounds the techniques of a restored rule of the operator.
const maxTechniques = 16

// restoredSession is the number of all sessions of restored findings: no session of this run has it.
const restoredSession = math.MaxUint64

func walkFinding(c *snapshot.Codec, f *detect.Finding, r *device.Registry) {
	walkRule(c, &f.Rule)
	r.Ref(c, &f.Device)
	snapshot.Pointer(c, &f.Peer, func(p *detect.Peer) { walkPeer(c, p, r) })
	snapshot.Pointer(c, &f.Session, func(v *session.View) { walkView(c, v) })
	walkJSON(c, &f.App)
	if c.Reading() && !sound(f.App) {
		c.Fail()
		f.App = nil
	}
	for _, t := range []*int64{&f.Start, &f.End, &f.WindowS} {
		c.Time(t)
	}
	for _, s := range []*string{&f.Key, &f.Title, &f.Brief, &f.Message, &f.Broken, &f.Recommendation} {
		c.String(s)
	}
	snapshot.Enum(c, &f.Severity, detect.Critical)
	c.Float(&f.Reliability)
	snapshot.Enum(c, &f.Stage, detect.StageOutbound)
	for _, b := range []*bool{&f.Standing, &f.Continues, &f.Maintenance} {
		c.Bool(b)
	}
	snapshot.List(c, &f.Reasons, maxReasons, func(x *detect.Reason) {
		c.String(&x.Code)
		c.String(&x.Text)
		c.Float(&x.Weight)
	})
	snapshot.List(c, &f.Evidence, maxEvidence, func(x *detect.Evidence) {
		c.String(&x.Kind)
		c.String(&x.Summary)
		c.Time(&x.Time)
		walkData(c, &x.Data)
	})
	texts(c, &f.Related, maxRelated)
	texts(c, &f.Entities, math.MaxUint16)
	texts(c, &f.Peers, math.MaxUint16)
	c.Int(&f.Count)
	c.Int(&f.Total)
	c.Addr(&f.DeviceAddr)
}

// walkRule saves only the id of a rule; the rest comes from the program. Restoring an unknown rule fails. A rule of the operator is saved
// as it was: it may have been removed since.
func walkRule(c *snapshot.Codec, x *detect.Rule) {
	c.String(&x.ID)
	if detect.IsCustom(x.ID) {
		walkCustomRule(c, x)
		return
	}
	if !c.Reading() {
		return
	}
	for _, known := range detect.Rules() {
		if known.ID == x.ID {
			*x = known
			return
		}
	}
	c.Fail()
}

func walkCustomRule(c *snapshot.Codec, x *detect.Rule) {
	c.String(&x.Name)
	c.String(&x.Kind)
	c.Int(&x.Version)
	c.Float(&x.Reliability)
	snapshot.List(c, &x.Attack, maxTechniques, func(t *detect.Technique) {
		c.String(&t.Domain)
		c.String(&t.Tactic)
		c.String(&t.Technique)
	})
}

func walkPeer(c *snapshot.Codec, p *detect.Peer, r *device.Registry) {
	for _, s := range []*string{&p.IP, &p.Name, &p.NameSource} {
		c.String(s)
	}
	snapshot.Number(c, &p.Port)
	c.Bool(&p.External)
	c.Bool(&p.FirstContact)
	r.Ref(c, &p.Device)
	snapshot.Pointer(c, &p.Listed, func(m *intel.Match) {
		for _, s := range []*string{&m.Feed, &m.Date, &m.Label, &m.Value} {
			c.String(s)
		}
		snapshot.Enum(c, &m.Kind, intel.Certificate)
	})
}

func walkView(c *snapshot.Codec, v *session.View) {
	if c.Reading() {
		v.ID = restoredSession
	}
	c.Time(&v.Start)
	c.Time(&v.End)
	for _, e := range []*session.Endpoint{&v.Initiator, &v.Responder} {
		c.Raw(e.Addr[:])
		c.Raw(e.MAC[:])
		snapshot.Number(c, &e.Port)
		snapshot.Number(c, &e.TTL)
	}
	for _, pair := range []*[2]uint64{&v.Packets, &v.IPBytes, &v.PayloadBytes} {
		c.Uint(&pair[0])
		c.Uint(&pair[1])
	}
	snapshot.Number(c, &v.SynSeq)
	for _, n := range []*uint8{&v.SynOptLen, &v.Proto, &v.ICMPType, &v.ICMPCode} {
		snapshot.Number(c, n)
	}
	for _, b := range []*bool{&v.V6, &v.HasPorts, &v.Group, &v.Gap, &v.Unconfirmed, &v.Resumed, &v.OneDirection, &v.Turned} {
		c.Bool(b)
	}
	snapshot.Enum(c, &v.Basis, session.BasisPort)
	snapshot.Enum(c, &v.State, session.OneWay)
	snapshot.Enum(c, &v.NumVLANs, packet.MaxVLANs)
	for i := range v.VLANs {
		snapshot.Number(c, &v.VLANs[i])
	}
	snapshot.List(c, &v.Tunnels, packet.MaxTunnels, func(t *packet.Tunnel) {
		c.Raw(t.Src[:])
		c.Raw(t.Dst[:])
		snapshot.Number(c, &t.ID)
		snapshot.Number(c, &t.VLAN)
		snapshot.Enum(c, &t.Type, packet.TunnelPBB)
		snapshot.Enum(c, &t.Space, packet.SpacePackets)
		for _, b := range []*bool{&t.HasID, &t.HasOuter, &t.V6} {
			c.Bool(b)
		}
	})
}

// walkJSON walks a value that is made of exported fields all through, and that changes as the protocols do that are read.
func walkJSON[T any](c *snapshot.Codec, p **T) {
	var b []byte
	if !c.Reading() && *p != nil {
		b, _ = json.Marshal(*p) // no field can fail
	}
	text := string(b)
	if c.String(&text); !c.Reading() || text == "" {
		return
	}
	v := new(T)
	if json.Unmarshal([]byte(text), v) != nil {
		c.Fail()
		return
	}
	*p = v
}

// walkData keeps numbers as they are written.
func walkData(c *snapshot.Codec, data *map[string]any) {
	var b []byte
	if !c.Reading() && len(*data) > 0 {
		b, _ = json.Marshal(*data) // as it goes into the alert
	}
	text := string(b)
	if c.String(&text); !c.Reading() || text == "" {
		return
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if d.Decode(data) != nil {
		c.Fail()
	}
}

// sound reports whether the results of logins are among those that there are.
func sound(a *fingerprint.App) bool {
	if a == nil {
		return true
	}
	ok := func(o dissect.Outcome) bool { return o <= dissect.OutcomeFailure }
	return (a.SSH == nil || a.SSH.Auth == nil || ok(a.SSH.Auth.Result)) && (a.HTTP == nil || ok(a.HTTP.AuthResult)) &&
		(a.RTSP == nil || ok(a.RTSP.AuthResult))
}
