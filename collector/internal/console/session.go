// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"stillwatch/schemas"
)

func endpoint(e schemas.Endpoint) string {
	if e.Port == nil {
		return e.IP.String()
	}
	return net.JoinHostPort(e.IP.String(), strconv.Itoa(int(*e.Port)))
}

// sessionFields returns the protocol details of a session, without empty ones.
func sessionFields(s *schemas.Session) []field {
	out := fields("initiator basis", s.InitiatorBasis, "announced by", s.AnnouncedBy)
	for _, v := range []struct {
		name string
		tls  *schemas.TLS
	}{{"TLS", s.TLS}, {"QUIC", s.QUIC}} {
		if v.tls != nil {
			out = append(out, tlsFields(v.name, v.tls)...)
		}
	}
	if v := s.SSH; v != nil {
		out = append(out, fields("SSH client", v.Client, "SSH server", v.Server, "HASSH", v.HASSH, "HASSH server", v.HASSHServer, "login", v.Auth)...)
	}
	for _, v := range []struct {
		name string
		http *schemas.HTTP
	}{{"HTTP", s.HTTP}, {"RTSP", s.RTSP}} {
		if v.http != nil {
			out = append(out, httpFields(v.name, v.http)...)
		}
	}
	if v := s.DNS; v != nil {
		out = append(out, fields("DNS question", strings.TrimSpace(v.QName+" "+v.QType), "DNS answer", v.RCode,
			"DNS records", strings.Join(v.Answers[:min(len(v.Answers), 20)], ", "))...)
	}
	for _, e := range s.Encap[:min(len(s.Encap), 8)] {
		out = append(out, fields("encapsulated in", encap(e))...)
	}
	if len(s.VLANs) > 0 {
		out = append(out, field{"VLAN", strings.Trim(fmt.Sprint(s.VLANs[:min(len(s.VLANs), 8)]), "[]")})
	}
	return out
}

func encap(e schemas.Encap) string {
	s := e.Type
	if e.ID != nil {
		s += fmt.Sprintf(" %d", *e.ID)
	}
	if e.VLAN != 0 {
		s += fmt.Sprintf(", VLAN %d,", e.VLAN)
	}
	if e.OuterSrc.IsValid() {
		s += fmt.Sprintf(" from %s to %s", e.OuterSrc, e.OuterDst)
	}
	return s
}

func tlsFields(name string, t *schemas.TLS) []field {
	return fields(name+" server name", t.SNI, name+" version", t.Version, "ALPN", strings.Join(t.ALPN[:min(len(t.ALPN), 20)], ", "), "JA4", t.JA4,
		"JA3", t.JA3, "JA3S", t.JA3S, "certificate", t.CertSubject, "certificate SHA-256", t.CertSHA256, "certificate expires", t.CertNotAfter)
}

func httpFields(name string, h *schemas.HTTP) []field {
	status := ""
	if h.Status != 0 {
		status = strconv.Itoa(h.Status)
	}
	return fields(name+" request", strings.TrimSpace(h.Method+" "+h.URI), "host", h.Host, "user agent", h.UserAgent, "server", h.Server,
		"status", status, "authentication", strings.TrimSpace(h.AuthScheme+" "+h.AuthResult))
}

// fields returns fields from alternating names and values, without empty values.
func fields(pairs ...string) []field {
	var out []field
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, field{pairs[i], pairs[i+1]})
		}
	}
	return out
}
