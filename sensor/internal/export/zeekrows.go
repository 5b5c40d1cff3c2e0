// SPDX-License-Identifier: Apache-2.0

package export

import (
	"errors"
	"strings"

	"stillwatch/schemas"
)

// zeekRows returns the logs by path, with the type of their records. Names, types and order of the fields are those of Zeek 7. Fields of packages and
// policy scripts come at the end, as there: community_id, vlan and the link-layer addresses of conn.log, JA3, JA4 and HASSH.
func zeekRows() map[string]any {
	return map[string]any{"conn": zeekConn{}, "dns": zeekDNS{}, "http": zeekHTTP{}, "ssl": zeekSSL{}, "ssh": zeekSSH{}, "dhcp": zeekDHCP{},
		"known_hosts": zeekKnownHost{}, "known_services": zeekKnownService{}, "notice": zeekNotice{}}
}

// zeekID are the fields with which most logs begin.
type zeekID struct {
	TS    instant `zeek:"ts time"`
	UID   string  `zeek:"uid string"`
	OrigH string  `zeek:"id.orig_h addr"`
	OrigP *uint16 `zeek:"id.orig_p port"`
	RespH string  `zeek:"id.resp_h addr"`
	RespP *uint16 `zeek:"id.resp_p port"`
}

func zeekIDOf(s *schemas.Session) zeekID {
	id := zeekID{TS: instant(s.Start), UID: uid(s), OrigH: s.Initiator.IP.String(), OrigP: s.Initiator.Port, RespH: s.Responder.IP.String(), RespP: s.Responder.Port}
	if id.OrigP == nil || id.RespP == nil { // Zeek has ports, or type and code of ICMP, in every record
		id.OrigP, id.RespP = new(uint16), new(uint16)
	}
	return id
}

type zeekConn struct {
	zeekID
	Proto         string    `zeek:"proto enum"`
	Service       string    `zeek:"service string"`
	Duration      *interval `zeek:"duration interval"`
	OrigBytes     *uint64   `zeek:"orig_bytes count"`
	RespBytes     *uint64   `zeek:"resp_bytes count"`
	ConnState     string    `zeek:"conn_state string"`
	LocalOrig     *bool     `zeek:"local_orig bool"`
	LocalResp     *bool     `zeek:"local_resp bool"`
	MissedBytes   *uint64   `zeek:"missed_bytes count"`
	History       string    `zeek:"history string"`
	OrigPkts      uint64    `zeek:"orig_pkts count"`
	OrigIPBytes   uint64    `zeek:"orig_ip_bytes count"`
	RespPkts      uint64    `zeek:"resp_pkts count"`
	RespIPBytes   uint64    `zeek:"resp_ip_bytes count"`
	TunnelParents []string  `zeek:"tunnel_parents set[string]"`
	VLAN          *uint16   `zeek:"vlan int"`
	InnerVLAN     *uint16   `zeek:"inner_vlan int"`
	OrigL2        string    `zeek:"orig_l2_addr string"`
	RespL2        string    `zeek:"resp_l2_addr string"`
	CommunityID   string    `zeek:"community_id string"`
}

type zeekDNS struct {
	zeekID
	Proto      string    `zeek:"proto enum"`
	TransID    *uint64   `zeek:"trans_id count"`
	RTT        *interval `zeek:"rtt interval"`
	Query      string    `zeek:"query string"`
	QClass     *uint64   `zeek:"qclass count"`
	QClassName string    `zeek:"qclass_name string"`
	QType      *uint64   `zeek:"qtype count"`
	QTypeName  string    `zeek:"qtype_name string"`
	RCode      *uint64   `zeek:"rcode count"`
	RCodeName  string    `zeek:"rcode_name string"`
	AA         *bool     `zeek:"AA bool"`
	TC         *bool     `zeek:"TC bool"`
	RD         *bool     `zeek:"RD bool"`
	RA         *bool     `zeek:"RA bool"`
	Z          *uint64   `zeek:"Z count"`
	Answers    []string  `zeek:"answers vector[string]"`
	TTLs       []string  `zeek:"TTLs vector[interval]"`
	Rejected   *bool     `zeek:"rejected bool"`
}

type zeekHTTP struct {
	zeekID
	Depth       uint64   `zeek:"trans_depth count"`
	Method      string   `zeek:"method string"`
	Host        string   `zeek:"host string"`
	URI         string   `zeek:"uri string"`
	Referrer    string   `zeek:"referrer string"`
	Version     string   `zeek:"version string"`
	UserAgent   string   `zeek:"user_agent string"`
	Origin      string   `zeek:"origin string"`
	RequestLen  *uint64  `zeek:"request_body_len count"`
	ResponseLen *uint64  `zeek:"response_body_len count"`
	StatusCode  *uint64  `zeek:"status_code count"`
	StatusMsg   string   `zeek:"status_msg string"`
	InfoCode    *uint64  `zeek:"info_code count"`
	InfoMsg     string   `zeek:"info_msg string"`
	Tags        []string `zeek:"tags set[enum]"`
	Username    string   `zeek:"username string"`
	Password    string   `zeek:"password string"`
	Proxied     []string `zeek:"proxied set[string]"`
	OrigFUIDs   []string `zeek:"orig_fuids vector[string]"`
	OrigNames   []string `zeek:"orig_filenames vector[string]"`
	OrigTypes   []string `zeek:"orig_mime_types vector[string]"`
	RespFUIDs   []string `zeek:"resp_fuids vector[string]"`
	RespNames   []string `zeek:"resp_filenames vector[string]"`
	RespTypes   []string `zeek:"resp_mime_types vector[string]"`
}

type zeekSSL struct {
	zeekID
	Version     string   `zeek:"version string"`
	Cipher      string   `zeek:"cipher string"`
	Curve       string   `zeek:"curve string"`
	ServerName  string   `zeek:"server_name string"`
	Resumed     *bool    `zeek:"resumed bool"`
	LastAlert   string   `zeek:"last_alert string"`
	NextProto   string   `zeek:"next_protocol string"`
	Established *bool    `zeek:"established bool"`
	History     string   `zeek:"ssl_history string"`
	CertChain   []string `zeek:"cert_chain_fps vector[string]"`
	ClientChain []string `zeek:"client_cert_chain_fps vector[string]"`
	SNIMatches  *bool    `zeek:"sni_matches_cert bool"`
	JA3         string   `zeek:"ja3 string"`
	JA3S        string   `zeek:"ja3s string"`
	JA4         string   `zeek:"ja4 string"`
}

type zeekSSH struct {
	zeekID
	Version     *uint64 `zeek:"version count"`
	AuthSuccess *bool   `zeek:"auth_success bool"`
	Attempts    *uint64 `zeek:"auth_attempts count"`
	Direction   string  `zeek:"direction enum"`
	Client      string  `zeek:"client string"`
	Server      string  `zeek:"server string"`
	Cipher      string  `zeek:"cipher_alg string"`
	MAC         string  `zeek:"mac_alg string"`
	Compression string  `zeek:"compression_alg string"`
	Kex         string  `zeek:"kex_alg string"`
	HostKeyAlg  string  `zeek:"host_key_alg string"`
	HostKey     string  `zeek:"host_key string"`
	HASSH       string  `zeek:"hassh string"`
	HASSHServer string  `zeek:"hasshServer string"`
}

type zeekDHCP struct {
	TS         instant   `zeek:"ts time"`
	UIDs       []string  `zeek:"uids set[string]"`
	ClientAddr string    `zeek:"client_addr addr"`
	ServerAddr string    `zeek:"server_addr addr"`
	MAC        string    `zeek:"mac string"`
	HostName   string    `zeek:"host_name string"`
	ClientFQDN string    `zeek:"client_fqdn string"`
	Domain     string    `zeek:"domain string"`
	Requested  string    `zeek:"requested_addr addr"`
	Assigned   string    `zeek:"assigned_addr addr"`
	LeaseTime  *interval `zeek:"lease_time interval"`
	ClientMsg  string    `zeek:"client_message string"`
	ServerMsg  string    `zeek:"server_message string"`
	MsgTypes   []string  `zeek:"msg_types vector[string]"`
	Duration   *interval `zeek:"duration interval"`
}

type zeekKnownHost struct {
	TS   instant `zeek:"ts time"`
	Host string  `zeek:"host addr"`
}

type zeekKnownService struct {
	TS      instant  `zeek:"ts time"`
	Host    string   `zeek:"host addr"`
	Port    uint16   `zeek:"port_num port"`
	Proto   string   `zeek:"port_proto enum"`
	Service []string `zeek:"service set[string]"`
}

type zeekNotice struct {
	TS          instant   `zeek:"ts time"`
	UID         string    `zeek:"uid string"`
	OrigH       string    `zeek:"id.orig_h addr"`
	OrigP       *uint16   `zeek:"id.orig_p port"`
	RespH       string    `zeek:"id.resp_h addr"`
	RespP       *uint16   `zeek:"id.resp_p port"`
	FUID        string    `zeek:"fuid string"`
	FileMIME    string    `zeek:"file_mime_type string"`
	FileDesc    string    `zeek:"file_desc string"`
	Proto       string    `zeek:"proto enum"`
	Note        string    `zeek:"note enum"`
	Msg         string    `zeek:"msg string"`
	Sub         string    `zeek:"sub string"`
	Src         string    `zeek:"src addr"`
	Dst         string    `zeek:"dst addr"`
	P           *uint16   `zeek:"p port"`
	N           *uint64   `zeek:"n count"`
	Peer        string    `zeek:"peer_descr string"`
	Actions     []string  `zeek:"actions set[enum]"`
	EmailDest   []string  `zeek:"email_dest set[string]"`
	SuppressFor *interval `zeek:"suppress_for interval"`
	Country     string    `zeek:"remote_location.country_code string"`
	Region      string    `zeek:"remote_location.region string"`
	City        string    `zeek:"remote_location.city string"`
	Latitude    *float64  `zeek:"remote_location.latitude double"`
	Longitude   *float64  `zeek:"remote_location.longitude double"`
}

// Session writes the records of a session: conn, and those of what was read of it.
func (z *zeekLogs) Session(s *schemas.Session) error {
	z.saw(s.Start, s.End)
	id := zeekIDOf(s)
	err := z.put("conn", connOf(id, s))
	if d := s.DNS; d != nil {
		err = errors.Join(err, z.put("dns", zeekDNS{zeekID: id, Proto: s.Proto, Query: d.QName, QType: numberIn(queryTypes, d.QType), QTypeName: d.QType,
			RCode: numberIn(responseCodes, d.RCode), RCodeName: d.RCode, Answers: d.Answers}))
	}
	if h := s.HTTP; h != nil {
		err = errors.Join(err, z.put("http", zeekHTTP{zeekID: id, Depth: 1, Method: h.Method, Host: h.Host, URI: h.URI, UserAgent: h.UserAgent, StatusCode: count(h.Status),
			Tags: []string{}}))
	}
	if s.TLS != nil || s.QUIC != nil {
		err = errors.Join(err, z.put("ssl", sslOf(id, tlsOf(s))))
	}
	if s.SSH != nil {
		err = errors.Join(err, z.put("ssh", sshOf(id, s.SSH)))
	}
	if s.App == "dhcp" {
		err = errors.Join(err, z.put("dhcp", dhcpOf(id, s)))
	}
	return err
}

func connOf(id zeekID, s *schemas.Session) zeekConn {
	c := zeekConn{zeekID: id, Proto: zeekProto(s.Proto), Service: zeekService(s.App), ConnState: connState(s),
		OrigPkts: s.PacketsOut, OrigIPBytes: s.IPBytesOut, RespPkts: s.PacketsIn, RespIPBytes: s.IPBytesIn,
		OrigL2: macText(s.Initiator.MAC), RespL2: macText(s.Responder.MAC), CommunityID: s.CommunityID}
	if s.End > s.Start { // Zeek leaves these out of a connection without duration
		d := interval(s.End - s.Start)
		c.Duration, c.OrigBytes, c.RespBytes = &d, &s.PayloadBytesOut, &s.PayloadBytesIn
	}
	if len(s.VLANs) > 0 {
		c.VLAN = &s.VLANs[0]
	}
	if len(s.VLANs) > 1 {
		c.InnerVLAN = &s.VLANs[1]
	}
	return c
}

func zeekProto(proto string) string {
	switch proto {
	case "tcp", "udp", "icmp":
		return proto
	case "icmp6":
		return "icmp"
	}
	return "unknown_transport"
}

// zeekService returns the name that Zeek has for a protocol, where it is another.
func zeekService(app string) string {
	switch app {
	case "tls", "dtls":
		return "ssl"
	case "mdns", "llmnr", "nbns":
		return "dns"
	case "kerberos":
		return "krb"
	case "vnc":
		return "rfb"
	case "dcerpc":
		return "dce_rpc"
	}
	return app
}

// connState returns the state of Zeek's conn.log, by the rules of its script base/protocols/conn. The record does not tell who closed half of a
// session: S2, S3, SH and SHR are S1 and OTH here.
func connState(s *schemas.Session) string {
	switch s.Proto {
	case "udp":
		switch {
		case s.PacketsOut == 0:
			return "SHR"
		case s.PacketsIn == 0:
			return "S0"
		}
		return "SF"
	case "tcp":
	default:
		return "OTH"
	}
	switch s.State {
	case "attempted":
		return "S0"
	case "rejected":
		if s.InitiatorBasis != "syn" { // a RST to a segment whose SYN was not captured
			return "RSTRH"
		}
		return "REJ"
	case "established":
		return "S1"
	case "closed":
		return "SF"
	case "reset":
		switch {
		case s.ResetBy == "initiator":
			return "RSTO"
		case s.ResetBy != "":
			return "RSTR" // also if both sent one, as in Zeek
		}
	}
	return "OTH"
}

// Versions of TLS by the names in Zeek's logs.
var zeekVersions = map[string]string{"1.3": "TLSv13", "1.2": "TLSv12", "1.1": "TLSv11", "1.0": "TLSv10", "ssl3": "SSLv3", "ssl2": "SSLv2",
	"dtls1.3": "DTLSv13", "dtls1.2": "DTLSv12", "dtls1.0": "DTLSv10"}

func sslOf(id zeekID, t *schemas.TLS) zeekSSL {
	r := zeekSSL{zeekID: id, Version: zeekVersions[t.Version], ServerName: t.SNI, JA3: t.JA3, JA3S: t.JA3S, JA4: t.JA4}
	if t.CertSHA256 != "" {
		r.CertChain = []string{t.CertSHA256}
	}
	return r
}

func sshOf(id zeekID, s *schemas.SSH) zeekSSH {
	r := zeekSSH{zeekID: id, Client: s.Client, Server: s.Server, HASSH: s.HASSH, HASSHServer: s.HASSHServer}
	switch {
	case strings.HasPrefix(s.Server, "SSH-2.") || strings.HasPrefix(s.Server, "SSH-1.99"):
		r.Version = count(2)
	case strings.HasPrefix(s.Server, "SSH-1."):
		r.Version = count(1)
	}
	if s.Auth == "success" || s.Auth == "failure" {
		success := s.Auth == "success"
		r.AuthSuccess = &success
	}
	if s.AuthFailures != nil {
		n := uint64(max(0, *s.AuthFailures))
		if s.Auth == "success" {
			n++ // Zeek counts the attempt that succeeded
		}
		r.Attempts = &n
	}
	return r
}

func dhcpOf(id zeekID, s *schemas.Session) zeekDHCP {
	client, server := &s.Initiator, &s.Responder
	if client.Port != nil && *client.Port == 67 && server.Port != nil && *server.Port == 68 {
		client, server = server, client
	}
	d := interval(s.End - s.Start)
	r := zeekDHCP{TS: id.TS, UIDs: []string{id.UID}, MAC: macText(client.MAC), Duration: &d}
	if !client.IP.IsUnspecified() {
		r.ClientAddr = client.IP.String()
	}
	if server.IP.String() != "255.255.255.255" && !server.IP.IsMulticast() {
		r.ServerAddr = server.IP.String()
	}
	return r
}

// Device writes the addresses and services of a device.
func (z *zeekLogs) Device(d *schemas.Device) error {
	z.saw(d.FirstSeen, d.LastSeen)
	for _, ip := range d.IPs {
		if err := z.put("known_hosts", zeekKnownHost{instant(d.FirstSeen), ip.String()}); err != nil {
			return err
		}
	}
	for _, s := range d.Serves {
		if len(d.IPs) == 0 {
			break
		}
		r := zeekKnownService{TS: instant(d.FirstSeen), Host: d.IPs[0].String(), Port: s.Port, Proto: zeekProto(s.Proto), Service: []string{}}
		if s.App != "" {
			r.Service = append(r.Service, strings.ToUpper(zeekService(s.App)))
		}
		if err := z.put("known_services", r); err != nil {
			return err
		}
	}
	return nil
}

// Alert writes a notice.
func (z *zeekLogs) Alert(a *schemas.Alert) error {
	z.saw(a.Time.EventStart, a.Time.EventEnd)
	n := zeekNotice{TS: instant(a.Time.EventStart), Note: noteOf(&a.Rule), Msg: a.Title, Sub: a.Message, Src: addrText(a.Device.IP),
		N: count(a.Dedupe.Count), Peer: a.Sensor.ID, Actions: []string{"Notice::ACTION_LOG"}, EmailDest: []string{}}
	if p := a.Peer; p != nil {
		n.Dst, n.P, n.Country = addrText(p.IP), p.Port, orEmpty(p.Geo).Country
	}
	if s := a.Session; s != nil {
		id := zeekIDOf(s)
		n.UID, n.OrigH, n.OrigP, n.RespH, n.RespP, n.Proto = id.UID, id.OrigH, id.OrigP, id.RespH, id.RespP, zeekProto(s.Proto)
	}
	return z.put("notice", n)
}

// Incident writes nothing: Zeek has no log of incidents.
func (z *zeekLogs) Incident(*schemas.Incident) error { return nil }

// noteOf returns the type of a notice: a name such as unexpected_outbound as Stillwatch::Unexpected_Outbound, the style of Zeek's enumerations.
func noteOf(r *schemas.AlertRule) string {
	words := strings.FieldsFunc(r.Name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
	if len(words) == 0 {
		words = []string{r.ID}
	}
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return "Stillwatch::" + strings.Join(words, "_")
}

// count returns a number as a field has it. Zero is unknown.
func count(n int) *uint64 {
	if n <= 0 {
		return nil
	}
	v := uint64(n)
	return &v
}

func numberIn(names map[string]uint64, name string) *uint64 {
	if n, ok := names[name]; ok {
		return &n
	}
	return nil
}

// queryTypes are the types of the IANA registry "DNS Parameters" that are common.
var queryTypes = map[string]uint64{"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "NAPTR": 35,
	"DNAME": 39, "OPT": 41, "DS": 43, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "TLSA": 52, "SVCB": 64, "HTTPS": 65, "AXFR": 252, "ANY": 255, "CAA": 257}

// responseCodes are the response codes of RFC 1035 and RFC 2136.
var responseCodes = map[string]uint64{"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "YXDOMAIN": 6, "YXRRSET": 7, "NXRRSET": 8,
	"NOTAUTH": 9, "NOTZONE": 10}
