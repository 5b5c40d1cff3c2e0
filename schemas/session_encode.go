// SPDX-License-Identifier: Apache-2.0

package schemas

import "strconv"

// AppendSession appends s as one JSON object without a line end.
func AppendSession(b []byte, s *Session) []byte {
	o := open(b)
	o.text("schema", s.Schema)
	o.time("start", s.Start)
	o.time("end", s.End)
	o.key("initiator")
	o.b = s.Initiator.append(o.b)
	o.key("responder")
	o.b = s.Responder.append(o.b)
	o.text("initiator_basis", s.InitiatorBasis)
	o.text("proto", s.Proto)
	o.text("community_id", s.CommunityID)
	s.appendLayers(&o)
	o.uint("packets_out", s.PacketsOut)
	o.uint("packets_in", s.PacketsIn)
	o.uint("ip_bytes_out", s.IPBytesOut)
	o.uint("ip_bytes_in", s.IPBytesIn)
	o.uint("payload_bytes_out", s.PayloadBytesOut)
	o.uint("payload_bytes_in", s.PayloadBytesIn)
	o.text("state", s.State)
	o.text("app", s.App)
	s.appendApp(&o)
	return o.close()
}

func (s *Session) appendLayers(o *object) {
	if len(s.VLANs) > 0 {
		o.key("vlans")
		for i, v := range s.VLANs {
			o.b = strconv.AppendUint(append(o.b, sep(i)), uint64(v), 10)
		}
		o.b = append(o.b, ']')
	}
	if len(s.Encap) > 0 {
		o.key("encap")
		for i := range s.Encap {
			o.b = s.Encap[i].append(append(o.b, sep(i)))
		}
		o.b = append(o.b, ']')
	}
}

func (s *Session) appendApp(o *object) {
	if s.TLS != nil {
		o.key("tls")
		o.b = s.TLS.append(o.b)
	}
	if s.QUIC != nil {
		o.key("quic")
		o.b = s.QUIC.append(o.b)
	}
	if s.SSH != nil {
		o.key("ssh")
		o.b = s.SSH.append(o.b)
	}
	if s.HTTP != nil {
		o.key("http")
		o.b = s.HTTP.append(o.b)
	}
	if s.RTSP != nil {
		o.key("rtsp")
		o.b = s.RTSP.append(o.b)
	}
	if s.DNS != nil {
		o.key("dns")
		o.b = s.DNS.append(o.b)
	}
}

func (e *Endpoint) append(b []byte) []byte {
	o := open(b)
	o.addr("ip", e.IP)
	if e.Port != nil {
		o.uint("port", uint64(*e.Port))
	}
	if e.MAC != (MAC{}) {
		o.key("mac")
		o.b = append(e.MAC.append(append(o.b, '"')), '"')
	}
	return o.close()
}

func (e *Encap) append(b []byte) []byte {
	o := open(b)
	o.text("type", e.Type)
	if e.ID != nil {
		o.uint("id", uint64(*e.ID))
	}
	if e.VLAN != 0 {
		o.uint("vlan", uint64(e.VLAN))
	}
	o.addr("outer_src", e.OuterSrc)
	o.addr("outer_dst", e.OuterDst)
	return o.close()
}

func (t *TLS) append(b []byte) []byte {
	o := open(b)
	o.text("sni", t.SNI)
	o.text("version", t.Version)
	o.texts("alpn", t.ALPN)
	o.text("ja3", t.JA3)
	o.text("ja3s", t.JA3S)
	o.text("ja4", t.JA4)
	o.text("cert_subject", t.CertSubject)
	o.text("cert_sha256", t.CertSHA256)
	o.text("cert_not_after", t.CertNotAfter)
	return o.close()
}

func (s *SSH) append(b []byte) []byte {
	o := open(b)
	o.text("client", s.Client)
	o.text("server", s.Server)
	o.text("hassh", s.HASSH)
	o.text("hassh_server", s.HASSHServer)
	o.text("auth", s.Auth)
	if s.AuthFailures != nil {
		o.uint("auth_failures", uint64(max(*s.AuthFailures, 0)))
	}
	return o.close()
}

func (h *HTTP) append(b []byte) []byte {
	o := open(b)
	o.text("method", h.Method)
	o.text("host", h.Host)
	o.text("uri", h.URI)
	o.text("user_agent", h.UserAgent)
	o.text("server", h.Server)
	if h.Status > 0 {
		o.uint("status", uint64(h.Status))
	}
	o.text("auth_scheme", h.AuthScheme)
	o.text("auth_result", h.AuthResult)
	return o.close()
}

func (d *DNS) append(b []byte) []byte {
	o := open(b)
	o.text("qname", d.QName)
	o.text("qtype", d.QType)
	o.text("rcode", d.RCode)
	o.texts("answers", d.Answers)
	return o.close()
}

// MarshalJSON is AppendSession.
func (s *Session) MarshalJSON() ([]byte, error) { return AppendSession(nil, s), nil }
