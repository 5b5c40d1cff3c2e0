// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"

	"stillwatch/schemas"
)

// envelope wraps records as CloudEvents 1.0 in the binary mode of the Kafka binding. Extension headers let a consumer filter without parsing
// the value.
type envelope struct {
	source string // ce_source
	boot   string
	replay string
}

func newEnvelope(sensor, boot string, replay bool) envelope {
	return envelope{source: "urn:stillwatch:sensor:" + url.PathEscape(sensor), boot: boot, replay: strconv.FormatBool(replay)}
}

// headers returns the attributes of an event.
func (e *envelope) headers(kind schemas.Kind, id, action, subject string, at schemas.Time) []Header {
	when, _ := at.AppendText(nil) // never fails
	event := "stillwatch." + string(kind)
	if action != "" {
		event += "." + action
	}
	return []Header{
		{"ce_specversion", "1.0"}, {"ce_id", id}, {"ce_source", e.source}, {"ce_type", event}, {"ce_subject", subject},
		{"ce_time", string(when)}, {"ce_dataschema", "urn:stillwatch:" + string(kind) + ":1"}, {"content-type", "application/json"},
		{"sw_boot", e.boot}, {"sw_replay", e.replay},
	}
}

// alert returns the record of a stamped alert. Its ID is made of the alert ID and the revision, so that a record that is sent twice has the
// same ID.
func (e *envelope) alert(a *schemas.Alert, value []byte) Record {
	h := e.headers(schemas.KindAlert, a.ID+"."+strconv.Itoa(a.Revision), a.Action, a.Device.Key, a.Time.DetectedAt)
	h = append(h, Header{"sw_severity", a.Severity}, Header{"sw_kind", a.Rule.Kind}, Header{"sw_seq", strconv.FormatUint(a.Sensor.Seq, 10)})
	return Record{Rank: rankOf(a.Severity), Topic: schemas.AlertTopic, Key: a.Device.Key, Headers: h, Value: value}
}

// incident keys an incident by its id: the topic is compacted, and keeps the last revision.
func (e *envelope) incident(i *schemas.Incident, value []byte) Record {
	h := e.headers(schemas.KindIncident, i.ID+"."+strconv.Itoa(i.Revision), i.Action, i.ID, i.Time.DetectedAt)
	h = append(h, Header{"sw_severity", i.Severity}, Header{"sw_incident", i.ID})
	return Record{Rank: rankOf(i.Severity), Topic: schemas.IncidentTopic, Key: i.ID, Headers: h, Value: value}
}

func rankOf(severity string) Rank {
	for r := RankInformational; r < numRanks; r++ {
		if r.String() == severity {
			return r
		}
	}
	return RankCritical // an unknown severity must not be dropped first
}

func (e *envelope) device(d *schemas.Device, value []byte) Record {
	return Record{Rank: RankDevice, Topic: schemas.DeviceTopic, Key: d.Key, Value: value,
		Headers: e.headers(schemas.KindDevice, contentID(value), "", d.Key, d.LastSeen)}
}

// evidence keys the packets of an alert by its id.
func (e *envelope) evidence(x *schemas.Evidence, value []byte) Record {
	return Record{Rank: RankEvidence, Topic: schemas.EvidenceTopic, Key: x.Alert, Value: value,
		Headers: e.headers(schemas.KindEvidence, x.SHA256, "", x.Alert, x.Time)}
}

// status keys a status by the id of the sensor: the topic is compacted, and keeps the last one. A full spool drops it first.
func (e *envelope) status(s *schemas.Status, value []byte) Record {
	return Record{Rank: RankSession, Topic: schemas.StatusTopic, Key: s.Sensor.ID, Value: value,
		Headers: e.headers(schemas.KindStatus, contentID(value), "", s.Sensor.ID, s.Time)}
}

// session keys a session by the address of its initiator: the sessions of one address stay in order.
func (e *envelope) session(s *schemas.Session, value []byte) Record {
	key := "ip:" + s.Initiator.IP.String()
	return Record{Rank: RankSession, Topic: schemas.SessionTopic, Key: key, Value: value,
		Headers: e.headers(schemas.KindSession, contentID(value), "", key, s.End)}
}

// contentID returns an ID derived from the content of a record.
func contentID(value []byte) string {
	sum := sha256.Sum256(value)
	return hex.EncodeToString(sum[:16])
}
