// SPDX-License-Identifier: Apache-2.0

package export

import (
	"errors"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"stillwatch/schemas"
)

// eveTime is the form of times in the EVE format.
const eveTime = "2006-01-02T15:04:05.000000-0700"

// eve writes the EVE format of Suricata: events of the types flow, dns, http, tls, ssh and alert.
type eve struct {
	sink Sink
	zone Zone
	buf  []byte
}

// NewEVE returns a format that writes to a sink, with times in zone.
func NewEVE(sink Sink, zone Zone) Format { return &eve{sink: sink, zone: zone} }

type eveEvent struct {
	Timestamp   string    `json:"timestamp"`
	FlowID      uint64    `json:"flow_id,omitempty"`
	InIface     text      `json:"in_iface,omitempty"`
	EventType   string    `json:"event_type"`
	VLAN        []uint16  `json:"vlan,omitempty"`
	SrcIP       string    `json:"src_ip,omitempty"`
	SrcPort     *uint16   `json:"src_port,omitempty"`
	DestIP      string    `json:"dest_ip,omitempty"`
	DestPort    *uint16   `json:"dest_port,omitempty"`
	Proto       string    `json:"proto,omitempty"`
	AppProto    string    `json:"app_proto,omitempty"`
	CommunityID string    `json:"community_id,omitempty"`
	Ether       *eveEther `json:"ether,omitempty"`
	Flow        *eveFlow  `json:"flow,omitempty"`
	DNS         *eveDNS   `json:"dns,omitempty"`
	HTTP        *eveHTTP  `json:"http,omitempty"`
	TLS         *eveTLS   `json:"tls,omitempty"`
	SSH         *eveSSH   `json:"ssh,omitempty"`
	Alert       *eveAlert `json:"alert,omitempty"`
	Host        text      `json:"host,omitempty"`
}

type eveEther struct {
	Src  string   `json:"src_mac,omitempty"`
	Dest string   `json:"dest_mac,omitempty"`
	Srcs []string `json:"src_macs,omitempty"`
	To   []string `json:"dest_macs,omitempty"`
}

type eveFlow struct {
	PktsToServer  uint64 `json:"pkts_toserver"`
	PktsToClient  uint64 `json:"pkts_toclient"`
	BytesToServer uint64 `json:"bytes_toserver"`
	BytesToClient uint64 `json:"bytes_toclient"`
	Start         string `json:"start"`
	End           string `json:"end,omitempty"`
	Age           int64  `json:"age"` // s
	State         string `json:"state,omitempty"`
	Reason        string `json:"reason,omitempty"`
}

type eveDNS struct {
	Version int               `json:"version"`
	Type    string            `json:"type"`
	RRName  text              `json:"rrname"`
	RRType  string            `json:"rrtype,omitempty"`
	RCode   string            `json:"rcode,omitempty"`
	Grouped map[string][]text `json:"grouped,omitempty"`
}

type eveHTTP struct {
	Hostname  text `json:"hostname,omitempty"`
	URL       text `json:"url,omitempty"`
	UserAgent text `json:"http_user_agent,omitempty"`
	Method    text `json:"http_method,omitempty"`
	Status    int  `json:"status,omitempty"`
	Server    text `json:"server,omitempty"`
}

type eveTLS struct {
	Subject  text     `json:"subject,omitempty"`
	SNI      text     `json:"sni,omitempty"`
	Version  string   `json:"version,omitempty"`
	NotAfter string   `json:"notafter,omitempty"`
	ALPNs    []text   `json:"client_alpns,omitempty"`
	JA3      *eveHash `json:"ja3,omitempty"`
	JA3S     *eveHash `json:"ja3s,omitempty"`
	JA4      text     `json:"ja4,omitempty"`
}

type eveHash struct {
	Hash string `json:"hash"`
}

type eveSSH struct {
	Client *eveSSHEnd `json:"client,omitempty"`
	Server *eveSSHEnd `json:"server,omitempty"`
}

type eveSSHEnd struct {
	Proto    text     `json:"proto_version,omitempty"`
	Software text     `json:"software_version,omitempty"`
	HASSH    *eveHash `json:"hassh,omitempty"`
}

type eveAlert struct {
	Action      string              `json:"action"`
	GID         int                 `json:"gid"`
	SignatureID uint32              `json:"signature_id"`
	Rev         int                 `json:"rev"`
	Signature   text                `json:"signature"`
	Category    text                `json:"category"`
	Severity    int                 `json:"severity"`
	Metadata    map[string][]string `json:"metadata,omitempty"`
}

func (e *eve) Begin() error                     { return nil }
func (e *eve) End() error                       { return nil }
func (e *eve) Device(*schemas.Device) error     { return nil } // EVE has no event of it
func (e *eve) Incident(*schemas.Incident) error { return nil }

func (e *eve) put(v *eveEvent) (err error) {
	if e.buf, err = appendLine(e.buf[:0], v); err != nil {
		return err
	}
	return e.sink.Put(e.buf)
}

func (e *eve) time(t schemas.Time) string { return instant(t).in(e.zone).Format(eveTime) }

// Session writes the events of what was read of a session, then the event flow.
func (e *eve) Session(s *schemas.Session) error {
	v := e.event(s)
	v.Timestamp = e.time(s.Start)
	var err error
	put := func(kind string) {
		v.EventType = kind
		err = errors.Join(err, e.put(v))
		v.DNS, v.HTTP, v.TLS, v.SSH = nil, nil, nil, nil
	}
	if s.DNS != nil {
		v.DNS = dnsOf(s.DNS)
		put("dns")
	}
	if h := s.HTTP; h != nil {
		v.HTTP = &eveHTTP{Hostname: text(h.Host), URL: text(h.URI), UserAgent: text(h.UserAgent), Method: text(h.Method), Status: h.Status, Server: text(h.Server)}
		put("http")
	}
	if s.TLS != nil || s.QUIC != nil {
		v.TLS = eveTLSOf(tlsOf(s))
		put("tls")
	}
	if x := s.SSH; x != nil {
		v.SSH = &eveSSH{Client: sshEnd(x.Client, x.HASSH), Server: sshEnd(x.Server, x.HASSHServer)}
		put("ssh")
	}
	v.Timestamp, v.Flow = e.time(s.End), e.flow(s)
	v.Flow.End, v.Flow.Age = e.time(s.End), int64(s.End-s.Start)/1e9
	v.Flow.State, v.Flow.Reason = flowState(s.State)
	if x := v.Ether; x != nil {
		*x = eveEther{Srcs: listOf(x.Src), To: listOf(x.Dest)}
	}
	put("flow")
	return err
}

// event returns the fields that all events of a session have.
func (e *eve) event(s *schemas.Session) *eveEvent {
	v := &eveEvent{FlowID: flowID(s), VLAN: s.VLANs, SrcIP: s.Initiator.IP.String(), SrcPort: s.Initiator.Port, DestIP: s.Responder.IP.String(), DestPort: s.Responder.Port,
		Proto: eveProto(s.Proto), AppProto: eveApp(s.App), CommunityID: s.CommunityID}
	if src, dest := macText(s.Initiator.MAC), macText(s.Responder.MAC); src+dest != "" {
		v.Ether = &eveEther{Src: src, Dest: dest}
	}
	return v
}

func (e *eve) flow(s *schemas.Session) *eveFlow {
	return &eveFlow{PktsToServer: s.PacketsOut, PktsToClient: s.PacketsIn, BytesToServer: s.IPBytesOut, BytesToClient: s.IPBytesIn, Start: e.time(s.Start)}
}

func listOf(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func flowState(state string) (name, reason string) {
	switch state {
	case "attempted", "one_way":
		return "new", "timeout"
	case "closed", "reset", "rejected":
		return "closed", "shutdown"
	}
	return "established", "timeout"
}

func eveProto(proto string) string {
	if proto == "icmp6" {
		return "IPv6-ICMP"
	}
	return strings.ToUpper(proto)
}

// eveApp returns the name that Suricata has for a protocol, where it is another.
func eveApp(app string) string {
	switch app {
	case "kerberos":
		return "krb5"
	case "vnc":
		return "rfb"
	case "postgresql":
		return "pgsql"
	}
	return app
}

func dnsOf(d *schemas.DNS) *eveDNS {
	r := &eveDNS{Version: 2, Type: "query", RRName: text(d.QName), RRType: d.QType, RCode: d.RCode}
	if d.RCode != "" {
		r.Type = "answer"
	}
	if len(d.Answers) > 0 && d.QType != "" {
		r.Grouped = map[string][]text{d.QType: texts(d.Answers)}
	}
	return r
}

func texts(all []string) (out []text) {
	for _, s := range all {
		out = append(out, text(s))
	}
	return out
}

// eveVersions has the versions of TLS by their names in Suricata.
var eveVersions = map[string]string{"1.3": "TLS 1.3", "1.2": "TLS 1.2", "1.1": "TLS 1.1", "1.0": "TLSv1", "ssl3": "SSLv3", "ssl2": "SSLv2"}

func eveTLSOf(t *schemas.TLS) *eveTLS {
	v := eveVersions[t.Version]
	if v == "" {
		v = t.Version
	}
	return &eveTLS{Subject: text(t.CertSubject), SNI: text(t.SNI), Version: v, NotAfter: strings.TrimSuffix(t.CertNotAfter, ".000000000Z"), ALPNs: texts(t.ALPN),
		JA3: hashOf(t.JA3), JA3S: hashOf(t.JA3S), JA4: text(t.JA4)}
}

func hashOf(h string) *eveHash {
	if h == "" {
		return nil
	}
	return &eveHash{h}
}

// sshEnd splits a banner, SSH-2.0-software comment.
func sshEnd(banner, hassh string) *eveSSHEnd {
	parts := strings.SplitN(banner, "-", 3)
	if len(parts) < 3 {
		return nil
	}
	return &eveSSHEnd{Proto: text(parts[1]), Software: text(parts[2]), HASSH: hashOf(hassh)}
}

// Alert writes the event alert. Source and destination are those of its session, or else the device and its peer.
func (e *eve) Alert(a *schemas.Alert) error {
	v := &eveEvent{}
	if s := a.Session; s != nil {
		v = e.event(s)
		v.Flow = e.flow(s)
	} else {
		v.SrcIP = addrText(a.Device.IP)
		if a.Peer != nil {
			v.DestIP, v.DestPort = addrText(a.Peer.IP), a.Peer.Port
		}
	}
	v.Timestamp, v.EventType, v.Host, v.InIface = e.time(a.Time.EventStart), "alert", text(a.Sensor.ID), text(a.Sensor.Iface)
	v.Alert = &eveAlert{Action: "allowed", GID: 1, SignatureID: signatureID(a.Rule.ID), Rev: a.Rule.Version, Signature: text("stillwatch " + a.Rule.ID + " " + a.Title),
		Category: text(a.Rule.Kind), Severity: eveSeverity(a.Severity), Metadata: map[string][]string{}}
	for _, x := range a.Attack {
		if k := "mitre_technique_id"; !slices.Contains(v.Alert.Metadata[k], x.Technique) {
			v.Alert.Metadata[k] = append(v.Alert.Metadata[k], x.Technique)
		}
	}
	for k, s := range map[string]string{"stillwatch_alert": a.ID, "stillwatch_incident": a.IncidentID, "stillwatch_severity": a.Severity, "stillwatch_absorbed_by": a.AbsorbedBy} {
		if s != "" {
			v.Alert.Metadata[k] = []string{s}
		}
	}
	return e.put(v)
}

// eveSeverity returns the priority of Suricata: 1 is the highest.
func eveSeverity(s string) int {
	switch s {
	case "critical", "high":
		return 1
	case "medium":
		return 2
	case "low":
		return 3
	}
	return 4
}

// signatureID returns a number for a rule, in the range of local rules (1,000,000 to 1,999,999): D08 is 1000008, and rules of an operator have a hash.
func signatureID(rule string) uint32 {
	if n, err := strconv.ParseUint(strings.TrimPrefix(rule, "D"), 10, 16); err == nil && strings.HasPrefix(rule, "D") {
		return 1_000_000 + uint32(n)
	}
	return 1_100_000 + crc32.ChecksumIEEE([]byte(rule))%900_000
}
