// SPDX-License-Identifier: Apache-2.0

package schemas

import "net/netip"

// Session is one bidirectional flow (RFC 5103). "Out" is the direction from initiator to responder, "in" the reverse.
type Session struct {
	Schema           string   `json:"schema"`
	Start            Time     `json:"start"`
	End              Time     `json:"end"`
	Initiator        Endpoint `json:"initiator"`
	Responder        Endpoint `json:"responder"`
	InitiatorBasis   string   `json:"initiator_basis"` // syn syn_ack request quic_initial first_packet port
	Proto            string   `json:"proto"`           // tcp udp icmp icmp6 sctp, or the IP protocol number
	CommunityID      string   `json:"community_id,omitempty"`
	VLANs            []uint16 `json:"vlans,omitempty"` // outermost first
	Encap            []Encap  `json:"encap,omitempty"` // outermost first
	PacketsOut       uint64   `json:"packets_out"`
	PacketsIn        uint64   `json:"packets_in"`
	IPBytesOut       uint64   `json:"ip_bytes_out"`
	IPBytesIn        uint64   `json:"ip_bytes_in"`
	PayloadBytesOut  uint64   `json:"payload_bytes_out"`
	PayloadBytesIn   uint64   `json:"payload_bytes_in"`
	PacketsDuplicate uint64   `json:"packets_duplicate,omitempty"` // of the packets, those that the mirror sent again
	IPBytesDuplicate uint64   `json:"ip_bytes_duplicate,omitempty"`
	State            string   `json:"state"`
	ResetBy          string   `json:"reset_by,omitempty"` // initiator, responder or both; only of sessions with the state reset, and not in alerts
	App              string   `json:"app,omitempty"`
	AnnouncedBy      string   `json:"announced_by,omitempty"` // Community ID of the session of RTSP that announced this flow of RTP or RTCP
	TLS              *TLS     `json:"tls,omitempty"`
	QUIC             *TLS     `json:"quic,omitempty"`
	SSH              *SSH     `json:"ssh,omitempty"`
	HTTP             *HTTP    `json:"http,omitempty"`
	RTSP             *HTTP    `json:"rtsp,omitempty"`
	DNS              *DNS     `json:"dns,omitempty"`
}

// Endpoint is one endpoint of a session. Port is nil if the protocol has no ports.
type Endpoint struct {
	IP   netip.Addr `json:"ip"`
	Port *uint16    `json:"port,omitempty"`
	MAC  MAC        `json:"mac,omitzero"`
}

// Encap is one layer of encapsulation. ID and the outer addresses are absent if the protocol has none. VLAN is the VLAN of the
// mirrored port, if the mirroring header carries it.
type Encap struct {
	Type     string     `json:"type"`
	ID       *uint32    `json:"id,omitempty"`
	VLAN     uint16     `json:"vlan,omitempty"`
	OuterSrc netip.Addr `json:"outer_src,omitzero"`
	OuterDst netip.Addr `json:"outer_dst,omitzero"`
}

// TLS describes a TLS, DTLS or QUIC handshake. ALPN lists the protocols that the client offered. Version is the version that the
// server chose: 1.3, 1.2, 1.1, 1.0, ssl3, ssl2, dtls1.3, dtls1.2 or dtls1.0.
type TLS struct {
	SNI          string   `json:"sni,omitempty"`
	Version      string   `json:"version,omitempty"`
	ALPN         []string `json:"alpn,omitempty"`
	JA3          string   `json:"ja3,omitempty"`
	JA3S         string   `json:"ja3s,omitempty"`
	JA4          string   `json:"ja4,omitempty"`
	NPF          string   `json:"npf,omitempty"`        // of the client's hello, in the format tls/1 or dtls/1
	NPFServer    string   `json:"npf_server,omitempty"` // of the server's hello
	CertSubject  string   `json:"cert_subject,omitempty"`
	CertSHA256   string   `json:"cert_sha256,omitempty"`
	CertNotAfter string   `json:"cert_not_after,omitempty"`
}

// SSH describes an SSH connection. Auth (success, failure, unknown) is inferred from the sizes of encrypted packets.
type SSH struct {
	Client       string `json:"client,omitempty"`
	Server       string `json:"server,omitempty"`
	HASSH        string `json:"hassh,omitempty"`
	HASSHServer  string `json:"hassh_server,omitempty"`
	NPF          string `json:"npf,omitempty"`
	NPFServer    string `json:"npf_server,omitempty"`
	Auth         string `json:"auth,omitempty"`
	AuthFailures *int   `json:"auth_failures,omitempty"`
}

// HTTP is the first HTTP or RTSP exchange of a session. AuthResult is success or failure.
type HTTP struct {
	Method     string `json:"method,omitempty"`
	Host       string `json:"host,omitempty"`
	URI        string `json:"uri,omitempty"`
	UserAgent  string `json:"user_agent,omitempty"`
	Server     string `json:"server,omitempty"`
	Status     int    `json:"status,omitempty"`
	AuthScheme string `json:"auth_scheme,omitempty"`
	AuthResult string `json:"auth_result,omitempty"`
}

// DNS is the first DNS exchange of a session. Answers are in text form.
type DNS struct {
	QName   string   `json:"qname,omitempty"`
	QType   string   `json:"qtype,omitempty"`
	RCode   string   `json:"rcode,omitempty"`
	Answers []string `json:"answers,omitempty"`
}

// MAC is an IEEE 802 48-bit address. Its text form is lower case with colons. The zero value means absent.
type MAC [6]byte
