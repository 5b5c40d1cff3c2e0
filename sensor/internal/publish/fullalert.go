// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
	"time"

	"stillwatch/schemas"
)

// fullGap is the minimum time between two revisions of the alert about a full spool.
const fullGap = time.Minute

// fullAlert is the alert about records that a full spool has dropped: one for each run, with at most one revision a minute. It is about the
// sensor itself, so it uses the wall clock.
type fullAlert struct {
	sensor     schemas.AlertSensor
	begun      time.Time
	reportedAt time.Time
	count      uint64 // of records, at the last revision
	revised    int
}

// next returns a revision if one is due, not stamped yet; nil otherwise.
func (f *fullAlert) next(dropped uint64, now time.Time) *schemas.Alert {
	if dropped == f.count || f.revised > 0 && now.Sub(f.reportedAt) < fullGap {
		return nil
	}
	if f.revised == 0 {
		f.begun = now
	}
	f.count, f.reportedAt = dropped, now
	f.revised++
	return f.build()
}

func (f *fullAlert) build() *schemas.Alert {
	action := "create"
	if f.revised > 1 {
		action = "update"
	}
	key := "sensor:" + f.sensor.ID
	begun, now := schemas.TimeOf(f.begun), schemas.TimeOf(f.reportedAt)
	return &schemas.Alert{
		Schema: schemas.AlertSchema, ID: f.id(), Revision: f.revised, Action: action,
		Time:   schemas.AlertTime{EventStart: begun, EventEnd: now, DetectedAt: now},
		Sensor: f.sensor,
		Rule:   schemas.AlertRule{ID: "S01", Name: "spool_full", Kind: "sensor_fault", Version: 1},
		Title:  "The sensor dropped records",
		Message: fmt.Sprintf("Every record is expected to reach Kafka; %d were dropped, the least severe first, because the spool of sensor %s is full or its disk cannot be written.",
			f.count, f.sensor.ID),
		Severity: "critical", RiskScore: 90, Confidence: 100,
		Reasons:        []schemas.AlertReason{{Code: "records_given_up", Text: fmt.Sprintf("%d records were dropped", f.count), Weight: 90}},
		Device:         schemas.AlertDevice{Key: key},
		Entities:       []string{"device:" + key},
		Dedupe:         schemas.AlertDedupe{Key: "spool_full", WindowS: int64(fullGap / time.Second), Count: f.revised, FirstSeen: begun, LastSeen: now},
		Recommendation: "Check /readyz of the sensor for the fault of Kafka or the disk, and give the spool more space (publish.spool.max_bytes).",
	}
}

func (f *fullAlert) id() string {
	sum := sha256.Sum256([]byte("stillwatch spool_full " + f.sensor.ID + " " + strconv.FormatInt(f.begun.UnixNano(), 10)))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
}
