// SPDX-License-Identifier: Apache-2.0

// Package schemas defines the records that the sensor publishes, and the policies that it reads: their JSON Schemas (2020-12), Go types, encoding and topic names.
// A field without a value is absent, never empty or null.
package schemas

// The schema names, the value of the field "schema" of each record.
const (
	SessionSchema  = "stillwatch.session/1"
	DeviceSchema   = "stillwatch.device/1"
	AlertSchema    = "stillwatch.alert/1"
	IncidentSchema = "stillwatch.incident/1"
	PolicySchema   = "stillwatch.policy/1"
	StatusSchema   = "stillwatch.status/1"
	EvidenceSchema = "stillwatch.evidence/1"
)

// The topics of the records. The key of a record is the device key, or the id of the incident, policy or sensor, or for evidence of the alert; the topics
// of devices, incidents, policies and statuses are compacted. Sensors read policies, and write the rest.
const (
	SessionTopic  = "stillwatch.sessions.v1"
	DeviceTopic   = "stillwatch.devices.v1"
	AlertTopic    = "stillwatch.alerts.v1"
	IncidentTopic = "stillwatch.incidents.v1"
	PolicyTopic   = "stillwatch.policy.v1"
	StatusTopic   = "stillwatch.status.v1"
	EvidenceTopic = "stillwatch.evidence.v1"
)

// Kind is a kind of record.
type Kind string

// The kinds of records.
const (
	KindSession  Kind = "session"
	KindDevice   Kind = "device"
	KindAlert    Kind = "alert"
	KindIncident Kind = "incident"
	KindPolicy   Kind = "policy"
	KindStatus   Kind = "status"
	KindEvidence Kind = "evidence"
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{KindAlert, KindDevice, KindEvidence, KindIncident, KindPolicy, KindSession, KindStatus}
}
