// SPDX-License-Identifier: Apache-2.0

package export

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"stillwatch/schemas"
)

// The rows of the tables that CSV and Parquet have. A column has the name in its parquet tag. An empty text, a nil pointer and an instant of zero
// are unknown.

type sessionRow struct {
	Start            instant  `parquet:"start,timestamp(nanosecond)"`
	End              instant  `parquet:"end,timestamp(nanosecond)"`
	InitiatorIP      string   `parquet:"initiator_ip,dict"`
	InitiatorPort    *uint32  `parquet:"initiator_port,optional"`
	InitiatorMAC     string   `parquet:"initiator_mac,optional,dict"`
	ResponderIP      string   `parquet:"responder_ip,dict"`
	ResponderPort    *uint32  `parquet:"responder_port,optional"`
	ResponderMAC     string   `parquet:"responder_mac,optional,dict"`
	Basis            string   `parquet:"initiator_basis,dict"`
	Proto            string   `parquet:"proto,dict"`
	App              string   `parquet:"app,optional,dict"`
	State            string   `parquet:"state,dict"`
	ResetBy          string   `parquet:"reset_by,optional,dict"`
	PacketsOut       uint64   `parquet:"packets_out"`
	PacketsIn        uint64   `parquet:"packets_in"`
	IPBytesOut       uint64   `parquet:"ip_bytes_out"`
	IPBytesIn        uint64   `parquet:"ip_bytes_in"`
	PayloadBytesOut  uint64   `parquet:"payload_bytes_out"`
	PayloadBytesIn   uint64   `parquet:"payload_bytes_in"`
	PacketsDuplicate uint64   `parquet:"packets_duplicate"`
	IPBytesDuplicate uint64   `parquet:"ip_bytes_duplicate"`
	CommunityID      string   `parquet:"community_id,optional"`
	AnnouncedBy      string   `parquet:"announced_by,optional"`
	VLANs            []string `parquet:"vlans,list"`
	Encap            []string `parquet:"encap,list"`
	TLSSNI           string   `parquet:"tls_sni,optional"`
	TLSVersion       string   `parquet:"tls_version,optional,dict"`
	TLSALPN          []string `parquet:"tls_alpn,list"`
	JA3              string   `parquet:"tls_ja3,optional"`
	JA3S             string   `parquet:"tls_ja3s,optional"`
	JA4              string   `parquet:"tls_ja4,optional"`
	CertSubject      string   `parquet:"tls_cert_subject,optional"`
	CertSHA256       string   `parquet:"tls_cert_sha256,optional"`
	CertNotAfter     string   `parquet:"tls_cert_not_after,optional"`
	SSHClient        string   `parquet:"ssh_client,optional"`
	SSHServer        string   `parquet:"ssh_server,optional"`
	HASSH            string   `parquet:"ssh_hassh,optional"`
	HASSHServer      string   `parquet:"ssh_hassh_server,optional"`
	SSHAuth          string   `parquet:"ssh_auth,optional,dict"`
	SSHFailures      *uint32  `parquet:"ssh_auth_failures,optional"`
	HTTPMethod       string   `parquet:"http_method,optional,dict"`
	HTTPHost         string   `parquet:"http_host,optional"`
	HTTPURI          string   `parquet:"http_uri,optional"`
	HTTPUserAgent    string   `parquet:"http_user_agent,optional"`
	HTTPServer       string   `parquet:"http_server,optional"`
	HTTPStatus       *uint32  `parquet:"http_status,optional"`
	HTTPAuthScheme   string   `parquet:"http_auth_scheme,optional,dict"`
	HTTPAuthResult   string   `parquet:"http_auth_result,optional,dict"`
	RTSPMethod       string   `parquet:"rtsp_method,optional,dict"`
	RTSPURI          string   `parquet:"rtsp_uri,optional"`
	RTSPUserAgent    string   `parquet:"rtsp_user_agent,optional"`
	RTSPServer       string   `parquet:"rtsp_server,optional"`
	RTSPStatus       *uint32  `parquet:"rtsp_status,optional"`
	DNSQName         string   `parquet:"dns_qname,optional"`
	DNSQType         string   `parquet:"dns_qtype,optional,dict"`
	DNSRCode         string   `parquet:"dns_rcode,optional,dict"`
	DNSAnswers       []string `parquet:"dns_answers,list"`
}

func rowOfSession(s *schemas.Session) sessionRow {
	t, ssh, http, rtsp, dns := tlsOf(s), orEmpty(s.SSH), orEmpty(s.HTTP), orEmpty(s.RTSP), orEmpty(s.DNS)
	r := sessionRow{
		Start: instant(s.Start), End: instant(s.End),
		InitiatorIP: s.Initiator.IP.String(), InitiatorPort: number(s.Initiator.Port), InitiatorMAC: macText(s.Initiator.MAC),
		ResponderIP: s.Responder.IP.String(), ResponderPort: number(s.Responder.Port), ResponderMAC: macText(s.Responder.MAC),
		Basis: s.InitiatorBasis, Proto: s.Proto, App: s.App, State: s.State, ResetBy: s.ResetBy,
		PacketsOut: s.PacketsOut, PacketsIn: s.PacketsIn, IPBytesOut: s.IPBytesOut, IPBytesIn: s.IPBytesIn,
		PayloadBytesOut: s.PayloadBytesOut, PayloadBytesIn: s.PayloadBytesIn, PacketsDuplicate: s.PacketsDuplicate, IPBytesDuplicate: s.IPBytesDuplicate,
		CommunityID: s.CommunityID, AnnouncedBy: s.AnnouncedBy, VLANs: vlanTexts(s.VLANs), Encap: encapTexts(s.Encap),
		TLSSNI: valid(t.SNI), TLSVersion: t.Version, TLSALPN: validAll(t.ALPN), JA3: t.JA3, JA3S: t.JA3S, JA4: valid(t.JA4),
		CertSubject: valid(t.CertSubject), CertSHA256: t.CertSHA256, CertNotAfter: t.CertNotAfter,
		SSHClient: valid(ssh.Client), SSHServer: valid(ssh.Server), HASSH: ssh.HASSH, HASSHServer: ssh.HASSHServer, SSHAuth: ssh.Auth, SSHFailures: number(ssh.AuthFailures),
		HTTPMethod: valid(http.Method), HTTPHost: valid(http.Host), HTTPURI: valid(http.URI), HTTPUserAgent: valid(http.UserAgent), HTTPServer: valid(http.Server),
		HTTPStatus: status(http), HTTPAuthScheme: valid(http.AuthScheme), HTTPAuthResult: http.AuthResult,
		RTSPMethod: valid(rtsp.Method), RTSPURI: valid(rtsp.URI), RTSPUserAgent: valid(rtsp.UserAgent), RTSPServer: valid(rtsp.Server), RTSPStatus: status(rtsp),
		DNSQName: valid(dns.QName), DNSQType: dns.QType, DNSRCode: dns.RCode, DNSAnswers: validAll(dns.Answers),
	}
	return r
}

type deviceRow struct {
	Key             string   `parquet:"key"`
	MAC             string   `parquet:"mac,optional"`
	IPs             []string `parquet:"ips,list"`
	Hostnames       []string `parquet:"hostnames,list"`
	VLANs           []string `parquet:"vlans,list"`
	Vendor          string   `parquet:"vendor,optional"`
	Board           string   `parquet:"board,optional"`
	Model           string   `parquet:"model,optional"`
	Firmware        string   `parquet:"firmware,optional"`
	FirmwareDate    string   `parquet:"firmware_date,optional"`
	Role            string   `parquet:"role"`
	RoleLevel       string   `parquet:"role_level"`
	RoleProbability float64  `parquet:"role_probability"`
	Expect          string   `parquet:"expect"`
	ExpectSource    string   `parquet:"expect_source,optional"`
	FirstSeen       instant  `parquet:"first_seen,timestamp(nanosecond)"`
	LastSeen        instant  `parquet:"last_seen,timestamp(nanosecond)"`
	LastOrigination *instant `parquet:"last_origination,optional,timestamp(nanosecond)"`
	Serves          []string `parquet:"serves,list"`
	Findings        []string `parquet:"findings,list"`
}

func rowOfDevice(d *schemas.Device) deviceRow {
	r := deviceRow{
		Key: valid(d.Key), MAC: macText(d.MAC), IPs: addrTexts(d.IPs), Hostnames: validAll(d.Hostnames), VLANs: vlanTexts(d.VLANs),
		Vendor: valid(d.Vendor), Board: valid(d.Board), Model: valid(d.Model), Firmware: valid(d.Firmware), FirmwareDate: d.FirmwareDate,
		Role: d.Role, RoleLevel: d.RoleLevel, RoleProbability: d.RoleProbability, Expect: d.Expect, ExpectSource: d.ExpectSource,
		FirstSeen: instant(d.FirstSeen), LastSeen: instant(d.LastSeen), LastOrigination: (*instant)(d.LastOrigination),
	}
	for _, s := range d.Serves {
		r.Serves = append(r.Serves, strings.TrimSpace(fmt.Sprintf("%d/%s %s", s.Port, s.Proto, s.App)))
	}
	for _, f := range d.Findings {
		r.Findings = append(r.Findings, valid(f.Kind+": "+f.Text))
	}
	return r
}

type alertRow struct {
	EventStart      instant  `parquet:"event_start,timestamp(nanosecond)"`
	EventEnd        instant  `parquet:"event_end,timestamp(nanosecond)"`
	DetectedAt      instant  `parquet:"detected_at,timestamp(nanosecond)"`
	ID              string   `parquet:"id"`
	Revision        int64    `parquet:"revision"`
	Action          string   `parquet:"action"`
	IncidentID      string   `parquet:"incident_id,optional"`
	AbsorbedBy      string   `parquet:"absorbed_by,optional"`
	SuppressedBy    string   `parquet:"suppressed_by,optional"`
	Rule            string   `parquet:"rule"`
	RuleName        string   `parquet:"rule_name"`
	Kind            string   `parquet:"rule_kind"`
	Severity        string   `parquet:"severity"`
	RiskScore       int64    `parquet:"risk_score"`
	Confidence      int64    `parquet:"confidence"`
	Title           string   `parquet:"title"`
	Message         string   `parquet:"message"`
	DeviceKey       string   `parquet:"device_key"`
	DeviceIP        string   `parquet:"device_ip,optional"`
	DeviceMAC       string   `parquet:"device_mac,optional"`
	DeviceRole      string   `parquet:"device_role,optional"`
	DeviceVendor    string   `parquet:"device_vendor,optional"`
	DeviceModel     string   `parquet:"device_model,optional"`
	DeviceOwner     string   `parquet:"device_owner,optional"`
	Criticality     string   `parquet:"device_criticality,optional"`
	PeerIP          string   `parquet:"peer_ip,optional"`
	PeerPort        *uint32  `parquet:"peer_port,optional"`
	PeerScope       string   `parquet:"peer_scope,optional"`
	PeerCountry     string   `parquet:"peer_country,optional"`
	PeerASN         *uint32  `parquet:"peer_asn,optional"`
	PeerDomain      string   `parquet:"peer_domain,optional"`
	PeerIntel       string   `parquet:"peer_threat_intel,optional"`
	CommunityID     string   `parquet:"community_id,optional"`
	RelatedSessions []string `parquet:"related_sessions,list"`
	Attack          []string `parquet:"attack,list"`
	Observations    int64    `parquet:"observations"`
	Reasons         []string `parquet:"reasons,list"`
	Evidence        []string `parquet:"evidence,list"`
	EvidenceFiles   []string `parquet:"evidence_files,list"`
	Recommendation  string   `parquet:"recommendation,optional"`
	Sensor          string   `parquet:"sensor"`
	Site            string   `parquet:"site,optional"`
}

func rowOfAlert(a *schemas.Alert) alertRow {
	r := alertRow{
		EventStart: instant(a.Time.EventStart), EventEnd: instant(a.Time.EventEnd), DetectedAt: instant(a.Time.DetectedAt),
		ID: a.ID, Revision: int64(a.Revision), Action: a.Action, IncidentID: a.IncidentID, AbsorbedBy: a.AbsorbedBy, SuppressedBy: valid(a.SuppressedBy),
		Rule: valid(a.Rule.ID), RuleName: valid(a.Rule.Name), Kind: a.Rule.Kind, Severity: a.Severity, RiskScore: int64(a.RiskScore), Confidence: int64(a.Confidence),
		Title: valid(a.Title), Message: valid(a.Message),
		DeviceKey: valid(a.Device.Key), DeviceIP: addrText(a.Device.IP), DeviceMAC: macText(a.Device.MAC), DeviceRole: a.Device.Role, DeviceVendor: valid(a.Device.Vendor),
		DeviceModel: valid(a.Device.Model), DeviceOwner: valid(a.Device.Owner), Criticality: a.Device.Criticality,
		RelatedSessions: a.RelatedSessions, Observations: int64(a.Dedupe.Count), Recommendation: valid(a.Recommendation), Sensor: valid(a.Sensor.ID), Site: valid(a.Sensor.Site),
	}
	if p := a.Peer; p != nil {
		r.PeerIP, r.PeerPort, r.PeerScope, r.PeerCountry = addrText(p.IP), number(p.Port), p.Scope, orEmpty(p.Geo).Country
		r.PeerDomain, r.PeerIntel = valid(orEmpty(p.Domain).Name), valid(orEmpty(p.ThreatIntel).Source)
		if p.ASN != nil {
			r.PeerASN = &p.ASN.Number
		}
	}
	if a.Session != nil {
		r.CommunityID = a.Session.CommunityID
	}
	for _, t := range a.Attack {
		r.Attack = append(r.Attack, t.Technique)
	}
	for _, x := range a.Reasons {
		r.Reasons = append(r.Reasons, valid(x.Text))
	}
	for _, e := range a.Evidence {
		r.Evidence = append(r.Evidence, valid(e.Summary))
		if e.PCAP != nil {
			r.EvidenceFiles = append(r.EvidenceFiles, e.PCAP.Name)
		}
	}
	return r
}

type incidentRow struct {
	First          instant  `parquet:"first,timestamp(nanosecond)"`
	Last           instant  `parquet:"last,timestamp(nanosecond)"`
	DetectedAt     instant  `parquet:"detected_at,timestamp(nanosecond)"`
	ID             string   `parquet:"id"`
	Revision       int64    `parquet:"revision"`
	Action         string   `parquet:"action"`
	Severity       string   `parquet:"severity"`
	RiskScore      int64    `parquet:"risk_score"`
	Probability    float64  `parquet:"probability"`
	Title          string   `parquet:"title"`
	Narrative      string   `parquet:"narrative,optional"`
	Stages         []string `parquet:"stages,list"`
	Devices        []string `parquet:"devices,list"`
	Peers          []string `parquet:"peers,list"`
	Alerts         []string `parquet:"alerts,list"`
	AlertsTotal    int64    `parquet:"alerts_total"`
	Recommendation string   `parquet:"recommendation,optional"`
	Sensor         string   `parquet:"sensor"`
	Site           string   `parquet:"site,optional"`
}

func rowOfIncident(i *schemas.Incident) incidentRow {
	r := incidentRow{
		First: instant(i.Time.First), Last: instant(i.Time.Last), DetectedAt: instant(i.Time.DetectedAt), ID: i.ID, Revision: int64(i.Revision), Action: i.Action,
		Severity: i.Severity, RiskScore: int64(i.RiskScore), Probability: i.Probability, Title: valid(i.Title), Alerts: i.Alerts, AlertsTotal: int64(i.AlertsTotal),
		Recommendation: valid(i.Recommendation), Sensor: valid(i.Sensor.ID), Site: valid(i.Sensor.Site),
	}
	for _, n := range i.Narrative {
		r.Narrative = strings.TrimSpace(r.Narrative + " " + valid(n.Text))
	}
	for _, s := range i.Stages {
		r.Stages = append(r.Stages, s.Stage)
	}
	for _, d := range i.Devices {
		r.Devices = append(r.Devices, valid(d.Key+" ("+d.Part+")"))
	}
	for _, p := range i.Peers {
		r.Peers = append(r.Peers, valid(strings.TrimSpace(addrText(p.IP)+" "+p.Name)))
	}
	return r
}

// number returns a number as a column has it, or nil.
func number[T ~int | ~uint16](n *T) *uint32 {
	if n == nil {
		return nil
	}
	v := uint32(max(0, *n))
	return &v
}

func status(h *schemas.HTTP) *uint32 {
	if h.Status == 0 {
		return nil
	}
	return number(&h.Status)
}

func macText(m schemas.MAC) string {
	if m == (schemas.MAC{}) {
		return ""
	}
	return m.String()
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func addrTexts(all []netip.Addr) (out []string) {
	for _, a := range all {
		out = append(out, addrText(a))
	}
	return out
}

func vlanTexts(all []uint16) (out []string) {
	for _, v := range all {
		out = append(out, strconv.Itoa(int(v)))
	}
	return out
}

// encapTexts returns tunnels, outermost first, as type, id and outer addresses.
func encapTexts(all []schemas.Encap) (out []string) {
	for i := range all {
		e := &all[i]
		s := e.Type
		if e.ID != nil {
			s += " " + strconv.FormatUint(uint64(*e.ID), 10)
		}
		if e.OuterSrc.IsValid() {
			s += " " + e.OuterSrc.String() + ">" + addrText(e.OuterDst)
		}
		out = append(out, s)
	}
	return out
}

func validAll(all []string) (out []string) {
	for _, s := range all {
		out = append(out, valid(s))
	}
	return out
}
