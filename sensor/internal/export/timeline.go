// SPDX-License-Identifier: Apache-2.0

package export

import (
	"fmt"
	"strings"

	"stillwatch/schemas"
)

// moment is one event of a timeline.
type moment struct {
	at      instant
	desc    string // what the time is, as Timesketch and Plaso call it
	record  string // session, device, alert or incident
	message string
	host    string
	fields  []pair
}

// pair is a field; its value is a string or an integer.
type pair struct {
	key   string
	value any
}

// timeline turns records into events.
type timeline struct{ put func(*moment) error }

func (t timeline) Session(s *schemas.Session) error {
	m := moment{at: instant(s.Start), desc: "Session Start", record: "session", message: sessionLine(s), host: s.Initiator.IP.String()}
	m.add("session_end", s.End.String(), "community_id", s.CommunityID, "protocol", s.Proto, "application", s.App, "state", s.State,
		"source_ip", s.Initiator.IP.String(), "source_port", number(s.Initiator.Port), "source_mac", macText(s.Initiator.MAC),
		"destination_ip", s.Responder.IP.String(), "destination_port", number(s.Responder.Port), "destination_mac", macText(s.Responder.MAC),
		"bytes_out", s.IPBytesOut, "bytes_in", s.IPBytesIn, "packets_out", s.PacketsOut, "packets_in", s.PacketsIn)
	t1, h, d := tlsOf(s), orEmpty(s.HTTP), orEmpty(s.DNS)
	m.add("tls_server_name", t1.SNI, "tls_version", t1.Version, "ja3", t1.JA3, "ja4", t1.JA4, "http_method", h.Method, "http_host", h.Host, "url", h.URI, "user_agent", h.UserAgent,
		"dns_query", d.QName, "dns_type", d.QType, "dns_answers", strings.Join(d.Answers, " "), "ssh_client", orEmpty(s.SSH).Client, "ssh_server", orEmpty(s.SSH).Server)
	return t.put(&m)
}

// sessionLine describes a session in one line.
func sessionLine(s *schemas.Session) string {
	what := s.Proto
	if s.App != "" {
		what += " " + s.App
	}
	for _, name := range []string{tlsOf(s).SNI, orEmpty(s.HTTP).Host, orEmpty(s.DNS).QName} {
		if name != "" {
			what += " " + name
			break
		}
	}
	return fmt.Sprintf("%s to %s %s, %s, %d bytes out, %d bytes in", socket(s.Initiator), socket(s.Responder), what, s.State, s.IPBytesOut, s.IPBytesIn)
}

func (t timeline) Device(d *schemas.Device) error {
	m := moment{at: instant(d.FirstSeen), desc: "First Seen", record: "device", message: "Device " + d.Key + " first seen, role " + d.Role, host: d.Key}
	m.add("device", d.Key, "mac", macText(d.MAC), "ip", strings.Join(addrTexts(d.IPs), " "), "hostname", strings.Join(d.Hostnames, " "), "vendor", d.Vendor, "model", d.Model,
		"firmware", d.Firmware, "role", d.Role, "expectation", d.Expect)
	if err := t.put(&m); err != nil {
		return err
	}
	m.at, m.desc, m.message = instant(d.LastSeen), "Last Seen", "Device "+d.Key+" last seen, role "+d.Role
	return t.put(&m)
}

func (t timeline) Alert(a *schemas.Alert) error {
	m := moment{at: instant(a.Time.EventStart), desc: "Alert", record: "alert", message: a.Severity + ": " + a.Title, host: a.Device.Key}
	m.add("alert_id", a.ID, "incident_id", a.IncidentID, "event_end", a.Time.EventEnd.String(), "rule", a.Rule.ID, "rule_name", a.Rule.Name, "severity", a.Severity,
		"risk_score", a.RiskScore, "details", a.Message, "device", a.Device.Key, "device_ip", addrText(a.Device.IP), "device_mac", macText(a.Device.MAC),
		"absorbed_by", a.AbsorbedBy, "suppressed_by", a.SuppressedBy, "recommendation", a.Recommendation)
	if p := a.Peer; p != nil {
		m.add("peer_ip", addrText(p.IP), "peer_port", number(p.Port), "peer_country", orEmpty(p.Geo).Country, "peer_domain", orEmpty(p.Domain).Name)
	}
	if a.Session != nil {
		m.add("community_id", a.Session.CommunityID)
	}
	techniques := make([]string, len(a.Attack))
	for i, x := range a.Attack {
		techniques[i] = x.Technique
	}
	m.add("attack", strings.Join(techniques, " "))
	return t.put(&m)
}

func (t timeline) Incident(i *schemas.Incident) error {
	for _, n := range i.Narrative {
		m := moment{at: instant(n.Time), desc: "Incident", record: "incident", message: n.Text}
		m.add("incident_id", i.ID, "title", i.Title, "severity", i.Severity, "risk_score", i.RiskScore, "alerts", strings.Join(n.Alerts, " "))
		if len(i.Devices) > 0 {
			m.host = i.Devices[0].Key
		}
		if err := t.put(&m); err != nil {
			return err
		}
	}
	return nil
}

// add appends fields, name and value in turn, but those without a value.
func (m *moment) add(pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		value := pairs[i+1]
		if n, ok := value.(*uint32); ok {
			if n == nil {
				continue
			}
			value = *n
		}
		if value != "" {
			m.fields = append(m.fields, pair{pairs[i].(string), value})
		}
	}
}
