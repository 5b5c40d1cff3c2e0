// SPDX-License-Identifier: Apache-2.0

package schemas

import "strconv"

// AppendSession appends s as one JSON object without a trailing newline. It is written by hand because sessions are by far the most
// frequent records; TestSessionEncoderAgreesWithTags compares it with encoding/json.
func AppendSession(b []byte, s *Session) []byte {
	w := writer{b: b}
	w.begin()
	w.text("schema", s.Schema)
	w.time("start", s.Start)
	w.time("end", s.End)
	w.object("initiator", true, func() { s.Initiator.write(&w) })
	w.object("responder", true, func() { s.Responder.write(&w) })
	w.text("initiator_basis", s.InitiatorBasis)
	w.text("proto", s.Proto)
	w.text("community_id", s.CommunityID)
	writeList(&w, "vlans", s.VLANs, func(v *uint16) { w.b = strconv.AppendUint(w.b, uint64(*v), 10) })
	writeList(&w, "encap", s.Encap, func(e *Encap) { w.begin(); e.write(&w); w.end() })
	w.uint("packets_out", s.PacketsOut)
	w.uint("packets_in", s.PacketsIn)
	w.uint("ip_bytes_out", s.IPBytesOut)
	w.uint("ip_bytes_in", s.IPBytesIn)
	w.uint("payload_bytes_out", s.PayloadBytesOut)
	w.uint("payload_bytes_in", s.PayloadBytesIn)
	w.count("packets_duplicate", s.PacketsDuplicate)
	w.count("ip_bytes_duplicate", s.IPBytesDuplicate)
	w.text("state", s.State)
	w.text("reset_by", s.ResetBy)
	w.text("app", s.App)
	w.text("announced_by", s.AnnouncedBy)
	w.object("tls", s.TLS != nil, func() { s.TLS.write(&w) })
	w.object("quic", s.QUIC != nil, func() { s.QUIC.write(&w) })
	w.object("ssh", s.SSH != nil, func() { s.SSH.write(&w) })
	w.object("http", s.HTTP != nil, func() { s.HTTP.write(&w) })
	w.object("rtsp", s.RTSP != nil, func() { s.RTSP.write(&w) })
	w.object("dns", s.DNS != nil, func() { s.DNS.write(&w) })
	w.end()
	return w.b
}

func (e *Endpoint) write(w *writer) {
	w.addr("ip", e.IP)
	if e.Port != nil {
		w.uint("port", uint64(*e.Port))
	}
	if e.MAC != (MAC{}) {
		w.key("mac")
		w.b = append(e.MAC.append(append(w.b, '"')), '"')
	}
}

func (e *Encap) write(w *writer) {
	w.text("type", e.Type)
	if e.ID != nil {
		w.uint("id", uint64(*e.ID))
	}
	w.count("vlan", uint64(e.VLAN))
	w.addr("outer_src", e.OuterSrc)
	w.addr("outer_dst", e.OuterDst)
}

func (t *TLS) write(w *writer) {
	w.fields("sni", t.SNI, "version", t.Version)
	w.texts("alpn", t.ALPN)
	w.fields("ja3", t.JA3, "ja3s", t.JA3S, "ja4", t.JA4, "npf", t.NPF, "npf_server", t.NPFServer, "cert_subject", t.CertSubject, "cert_sha256", t.CertSHA256, "cert_not_after", t.CertNotAfter)
}

func (s *SSH) write(w *writer) {
	w.fields("client", s.Client, "server", s.Server, "hassh", s.HASSH, "hassh_server", s.HASSHServer, "npf", s.NPF, "npf_server", s.NPFServer, "auth", s.Auth)
	if s.AuthFailures != nil {
		w.uint("auth_failures", uint64(max(*s.AuthFailures, 0)))
	}
}

func (h *HTTP) write(w *writer) {
	w.fields("method", h.Method, "host", h.Host, "uri", h.URI, "user_agent", h.UserAgent, "server", h.Server)
	w.count("status", uint64(max(h.Status, 0)))
	w.fields("auth_scheme", h.AuthScheme, "auth_result", h.AuthResult)
}

func (d *DNS) write(w *writer) {
	w.fields("qname", d.QName, "qtype", d.QType, "rcode", d.RCode)
	w.texts("answers", d.Answers)
}

// MarshalJSON implements json.Marshaler with AppendSession.
func (s *Session) MarshalJSON() ([]byte, error) { return AppendSession(nil, s), nil }
