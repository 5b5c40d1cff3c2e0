// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"net/netip"
	"time"

	"stillwatch/sensor/internal/customrule"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// customEnv is what the custom rules read about the current event. All of them share it, and each part is filled once.
type customEnv struct {
	env     customrule.Env
	machine customrule.Machine
	filled  customrule.Need
	dir     session.Dir // Out: the device is the initiator
}

// customEnv returns the environment of the current event with the given parts filled.
func (c *Context) customEnv(e *Event, dir session.Dir, needs customrule.Need) *customEnv {
	if c.custom == nil {
		c.custom = &customEnv{}
	}
	x := c.custom
	if x.dir != dir {
		x.dir, x.filled = dir, 0
	}
	if needs &^= x.filled; needs == 0 {
		return x
	}
	x.filled |= needs
	v := e.Session
	self, other, mine, theirs := &v.Initiator, &v.Responder, e.Initiator, e.Responder
	if dir == session.In {
		self, other, mine, theirs = other, self, theirs, mine
	}
	at := addr(other, v.V6)
	if needs&customrule.NeedSession != 0 {
		x.session(e, dir)
	}
	if needs&customrule.NeedDevice != 0 {
		x.env.Device = c.customDevice(mine, addr(self, v.V6))
	}
	if needs&customrule.NeedPeer != 0 {
		x.env.Peer = customrule.Peer{Device: c.customDevice(theirs, at), External: c.external(theirs, at)}
	}
	if needs&customrule.NeedName != 0 {
		x.env.Session.Name = cut(c.ResponderName(e))
		if dir == session.Out && theirs == nil {
			x.env.Peer.Name = x.env.Session.Name
		}
	}
	if needs&customrule.NeedPlace != 0 && x.env.Peer.External {
		x.env.Peer.Country, _ = enrich.Country(at)
		number, name := enrich.ASN(at)
		x.env.Peer.ASN, x.env.Peer.ASName = int(number), cut(name)
	}
	if needs&customrule.NeedListed != 0 && x.env.Peer.External {
		if m := c.listedAs(at, x.env.Peer.Name); m != nil {
			x.env.Peer.Listed = cut(m.Feed)
		}
	}
	if needs&customrule.NeedFact != 0 {
		x.fact(e)
	}
	return x
}

func (x *customEnv) session(e *Event, dir session.Dir) {
	v := e.Session
	at := time.Unix(0, e.Time).UTC()
	s := customrule.Session{Proto: Proto(v.Proto), Client: addr(&v.Initiator, v.V6).String(), Server: addr(&v.Responder, v.V6).String(), Direction: [...]string{"out", "in"}[dir],
		State: v.State.String(), BytesOut: int(v.PayloadBytes[session.Out]), BytesIn: int(v.PayloadBytes[session.In]),
		PacketsOut: int(v.Packets[session.Out]), PacketsIn: int(v.Packets[session.In]), Seconds: float64(v.End-v.Start) / 1e9,
		Hour: at.Hour(), Weekday: [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}[at.Weekday()]}
	if v.HasPorts {
		s.Port, s.ClientPort = int(v.Responder.Port), int(v.Initiator.Port)
	}
	if v.NumVLANs > 0 {
		s.VLAN = int(v.VLANs[0])
	}
	if e.App != nil {
		s.App = cut(e.App.Name)
	}
	x.env.Session = s
}

// customDevice describes one end of a session; d is nil if it is no device.
func (c *Context) customDevice(d *device.Device, at netip.Addr) customrule.Device {
	out := customrule.Device{IP: at.String(), Zone: c.Contracts.Zone(at), Role: device.Unknown.String()}
	if d == nil {
		return out
	}
	x, _ := c.Contracts.Expect(d, c.Now)
	out.Key, out.Role, out.Vendor, out.Model, out.Firmware = d.Key, d.Role.String(), cut(d.Vendor), cut(d.Model), cut(d.Firmware)
	out.Expect, out.Days = x.String(), int(d.ObservedDays)
	switch {
	case named(d):
		out.Name = d.Key
	case len(d.Hostnames) > 0:
		out.Name = cut(d.Hostnames[0])
	}
	if d.MAC != (packet.MAC{}) {
		out.MAC = d.MAC.String()
	}
	return out
}

// fact fills in what was read of the session: by the fact of the event, or at its end all that was kept.
func (x *customEnv) fact(e *Event) {
	x.env.DNS, x.env.HTTP, x.env.TLS, x.env.Login = customrule.DNS{}, customrule.HTTP{}, customrule.TLS{}, customrule.Login{}
	switch f := e.Fact.(type) {
	case *dissect.DNSMessage:
		x.dns(f)
		return
	case *dissect.HTTPExchange:
		x.http(f)
	case *dissect.TLSClientHello, *dissect.TLSServerHello, *dissect.TLSCertificate:
		x.tls(e.App)
		return
	}
	if in, ok := loginOf(e.Fact); ok {
		x.env.Login = customrule.Login{Protocol: in.protocol, Result: in.result.String(), UserHint: in.hint, Default: in.defaults, Clear: in.clear, Inferred: in.inferred}
		return
	}
	if e.Kind != SessionEnded || e.App == nil {
		return
	}
	if e.App.DNSQuery != nil {
		x.dns(e.App.DNSQuery)
	}
	if e.App.HTTP != nil {
		x.http(e.App.HTTP)
	}
	x.tls(e.App)
}

func (x *customEnv) dns(f *dissect.DNSMessage) {
	x.env.DNS = customrule.DNS{Name: cut(f.QName), Type: cut(f.QType)}
}

func (x *customEnv) http(f *dissect.HTTPExchange) {
	x.env.HTTP = customrule.HTTP{Method: cut(f.Method), Host: cut(f.Host), URI: cut(f.URI), UserAgent: cut(f.UserAgent), SOAPAction: cut(f.SOAPAction), AuthScheme: cut(f.AuthScheme),
		Status: f.Status, Server: cut(f.Server), ContentType: cut(f.ContentType), Title: cut(f.Title), Realm: cut(f.Realm), Program: cut(f.Program)}
}

func (x *customEnv) tls(a *fingerprint.App) {
	if a == nil {
		return
	}
	t := customrule.TLS{QUIC: a.QUIC()}
	if h := a.Hello; h != nil {
		t.SNI, t.ALPN, t.JA3, t.JA4 = cut(h.SNI), h.ALPN, h.JA3, h.JA4
	}
	if h := a.ServerHello; h != nil {
		t.Version, t.JA3S = h.VersionName(), h.JA3S
	}
	if k := a.Cert; k != nil {
		t.Subject, t.Issuer, t.SHA256, t.SelfSigned = cut(k.Subject), cut(k.Issuer), cut(k.SHA256), k.SelfSigned
	}
	x.env.TLS = t
}

// cut bounds a text that an expression reads.
func cut(s string) string { return s[:min(len(s), customrule.MaxText)] }
