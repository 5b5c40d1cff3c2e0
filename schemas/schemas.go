// SPDX-License-Identifier: Apache-2.0

// Package schemas holds the records that leave the sensor: their JSON Schemas (2020-12), their Go types, the codec, and
// the names of the topics. A field that is not known is absent, never empty and never null.
package schemas

// The schema names, as they stand in the field "schema" of each record.
const (
	SessionSchema = "stillwatch.session/1"
	DeviceSchema  = "stillwatch.device/1"
	AlertSchema   = "stillwatch.alert/1"
)

// The topics of the records. Records of a topic are keyed by the device key; devices is compacted.
const (
	SessionTopic = "stillwatch.sessions.v1"
	DeviceTopic  = "stillwatch.devices.v1"
	AlertTopic   = "stillwatch.alerts.v1"
)

// Kind names a record.
type Kind string

// The kinds of record.
const (
	KindSession Kind = "session"
	KindDevice  Kind = "device"
	KindAlert   Kind = "alert"
)

// Kinds lists all of them.
func Kinds() []Kind { return []Kind{KindAlert, KindDevice, KindSession} }
