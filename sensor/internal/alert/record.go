// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"net/netip"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// SessionRecord returns the record of a session. The record refers to v and app, which must not change afterwards; app may be nil.
func SessionRecord(v *session.View, app *fingerprint.App) schemas.Session {
	s := schemas.Session{
		Schema: schemas.SessionSchema, Start: schemas.Time(v.Start), End: schemas.Time(v.End),
		Initiator: endpoint(&v.Initiator, v), Responder: endpoint(&v.Responder, v),
		InitiatorBasis: v.Basis.String(), Proto: detect.Proto(v.Proto), CommunityID: session.CommunityID(v),
		Encap:      encap(v.Tunnels),
		PacketsOut: v.Packets[session.Out], PacketsIn: v.Packets[session.In],
		IPBytesOut: v.IPBytes[session.Out], IPBytesIn: v.IPBytes[session.In],
		PayloadBytesOut: v.PayloadBytes[session.Out], PayloadBytesIn: v.PayloadBytes[session.In],
		State: v.State.String(),
	}
	if v.NumVLANs > 0 {
		s.VLANs = v.VLANs[:v.NumVLANs]
	}
	if app != nil {
		addApp(&s, app)
	}
	if v.Gap && s.SSH != nil && s.SSH.Auth == dissect.OutcomeFailure.String() {
		s.SSH.Auth = dissect.OutcomeUnknown.String() // the missing bytes may hold a success
	}
	return s
}

// CapturedSession fills s like SessionRecord, with the packets that the mirror sent more than once, so that the counts are those of other
// programs that read the capture, and with who reset it.
func CapturedSession(s *schemas.Session, v *session.View, app *fingerprint.App) {
	*s = SessionRecord(v, app)
	if v.State == session.Reset {
		s.ResetBy = resetBy(v.Aborted)
	}
	if x := v.Copies; x != nil {
		s.PacketsOut, s.PacketsIn = s.PacketsOut+x.Packets[session.Out], s.PacketsIn+x.Packets[session.In]
		s.IPBytesOut, s.IPBytesIn = s.IPBytesOut+x.IPBytes[session.Out], s.IPBytesIn+x.IPBytes[session.In]
		s.PayloadBytesOut, s.PayloadBytesIn = s.PayloadBytesOut+x.PayloadBytes[session.Out], s.PayloadBytesIn+x.PayloadBytes[session.In]
		s.PacketsDuplicate, s.IPBytesDuplicate = x.Packets[session.Out]+x.Packets[session.In], x.IPBytes[session.Out]+x.IPBytes[session.In]
	}
}

func resetBy(aborted [2]bool) string {
	switch aborted {
	case [2]bool{true, false}:
		return "initiator"
	case [2]bool{false, true}:
		return "responder"
	case [2]bool{true, true}:
		return "both"
	}
	return ""
}

// address returns an address as it was on the wire: an IPv4-mapped address of an IPv6 packet stays one.
func address(a packet.Addr, v6 bool) netip.Addr {
	if v6 {
		return netip.AddrFrom16(a)
	}
	return a.Netip()
}

func endpoint(e *session.Endpoint, v *session.View) schemas.Endpoint {
	r := schemas.Endpoint{IP: address(e.Addr, v.V6), MAC: schemas.MAC(e.MAC)}
	if v.HasPorts {
		r.Port = &e.Port
	}
	return r
}

var tunnelNames = [...]string{
	packet.TunnelGRE: "gre", packet.TunnelERSPAN: "erspan", packet.TunnelVXLAN: "vxlan", packet.TunnelGeneve: "geneve",
	packet.TunnelMPLS: "mpls", packet.TunnelPPPoE: "pppoe", packet.TunnelGTPU: "gtpu", packet.TunnelIPIP: "ipip",
	packet.TunnelTeredo: "teredo", packet.TunnelTZSP: "tzsp", packet.TunnelPBB: "pbb",
}

func encap(ts []packet.Tunnel) []schemas.Encap {
	if len(ts) == 0 {
		return nil
	}
	out := make([]schemas.Encap, 0, len(ts))
	for i := range ts {
		t := &ts[i]
		if t.Type == packet.TunnelNone || int(t.Type) >= len(tunnelNames) {
			continue
		}
		e := schemas.Encap{Type: tunnelNames[t.Type], VLAN: t.VLAN}
		if t.HasID {
			e.ID = &t.ID
		}
		if t.HasOuter {
			e.OuterSrc, e.OuterDst = address(t.Src, t.V6), address(t.Dst, t.V6)
		}
		out = append(out, e)
	}
	return out
}

func addApp(s *schemas.Session, app *fingerprint.App) {
	s.App, s.AnnouncedBy = app.Name, app.Announcer
	if t := tlsRecord(app); t != nil {
		if app.QUIC() {
			s.QUIC = t
		} else {
			s.TLS = t
		}
	}
	s.SSH = sshRecord(app)
	if h := app.HTTP; h != nil {
		s.HTTP = &schemas.HTTP{Method: h.Method, Host: h.Host, URI: h.URI, UserAgent: h.UserAgent, Server: h.Server,
			Status: status(h.Status), AuthScheme: h.AuthScheme, AuthResult: outcome(h.AuthResult)}
	}
	if r := app.RTSP; r != nil {
		s.RTSP = &schemas.HTTP{Method: r.Method, URI: r.URI, UserAgent: r.UserAgent, Server: r.Server,
			Status: status(r.Status), AuthScheme: r.AuthScheme, AuthResult: outcome(r.AuthResult)}
	}
	s.DNS = dnsRecord(app)
}

// status returns n if it can be a status code, else 0.
func status(n int) int {
	if n < 1 || n > 999 {
		return 0
	}
	return n
}

func outcome(o dissect.Outcome) string {
	if o == dissect.OutcomeUnknown {
		return ""
	}
	return o.String()
}

func tlsRecord(app *fingerprint.App) *schemas.TLS {
	if app.Hello == nil && app.ServerHello == nil && app.Cert == nil {
		return nil
	}
	t := &schemas.TLS{}
	if h := app.Hello; h != nil {
		t.SNI, t.ALPN, t.JA3, t.JA4, t.NPF = h.SNI, h.ALPN, h.JA3, h.JA4, h.NPF
	}
	if h := app.ServerHello; h != nil {
		t.Version, t.JA3S = h.VersionName(), h.JA3S
		if !app.QUIC() {
			t.NPFServer = h.NPF
		}
	}
	if c := app.Cert; c != nil {
		t.CertSubject, t.CertSHA256, t.CertNotAfter = c.Subject, c.SHA256, schemas.FormatTime(c.NotAfter)
	}
	return t
}

func sshRecord(app *fingerprint.App) *schemas.SSH {
	x := app.SSH
	if x == nil {
		return nil
	}
	s := &schemas.SSH{Client: x.Client, Server: x.Server, HASSH: x.HASSH, HASSHServer: x.HASSHServer, NPF: x.NPF, NPFServer: x.NPFServer}
	if a := x.Auth; a != nil {
		s.Auth, s.AuthFailures = a.Result.String(), &a.Failures
	}
	return s
}

// maxAnswers is what the schema allows in dns.answers.
const maxAnswers = 32

func dnsRecord(app *fingerprint.App) *schemas.DNS {
	q, a := app.DNSQuery, app.DNSAnswer
	if q == nil && a == nil {
		return nil
	}
	d := &schemas.DNS{}
	if a != nil {
		d.QName, d.QType, d.RCode = a.QName, a.QType, a.RCode
		for i := range a.Answers {
			if x := a.Answers[i].Data; x != "" && len(d.Answers) < maxAnswers {
				d.Answers = append(d.Answers, x)
			}
		}
	}
	if q != nil {
		d.QName, d.QType = q.QName, q.QType
	}
	return d
}
