// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/packets"
	"stillwatch/collector/internal/store"
	"stillwatch/internal/panics"
	"stillwatch/schemas"
)

// maxRecord is the maximum size of a record, in bytes. Larger ones are rejected unparsed.
const maxRecord = 4 << 20

// maxReason limits the reason of a rejection, because the validator quotes its input.
const maxReason = 1000

// rejected is a message for the dead-letter queue.
type rejected struct {
	message kafka.Message
	reason  string
}

// accepted is a message with its alert, incident, device, status or evidence.
type accepted struct {
	message  kafka.Message
	alert    *schemas.Alert
	incident *schemas.Incident
	device   *schemas.Device
	status   *schemas.Status
	evidence *schemas.Evidence
}

type parsed []accepted

// batch converts the records to a batch of the store.
func (p parsed) batch(bad []rejected) (b store.Batch) {
	for _, a := range p {
		switch {
		case a.alert != nil:
			b.Alerts = append(b.Alerts, store.AlertRecord{Alert: a.alert, JSON: a.message.Value})
		case a.incident != nil:
			b.Incidents = append(b.Incidents, store.IncidentRecord{Incident: a.incident, JSON: a.message.Value})
		case a.status != nil:
			b.Statuses = append(b.Statuses, store.StatusRecord{Status: a.status, JSON: a.message.Value})
		case a.evidence != nil:
			b.Evidence = append(b.Evidence, a.evidence)
		default:
			b.Devices = append(b.Devices, store.DeviceRecord{Device: a.device, JSON: a.message.Value})
		}
	}
	for _, l := range bad {
		b.Dead = append(b.Dead, store.DeadLetter{Topic: l.message.Topic, Partition: l.message.Partition, Offset: l.message.Offset,
			Reason: l.reason, Key: l.message.Key, Value: l.message.Value})
	}
	return b
}

// parse validates a batch on all processors and keeps its order.
func parse(batch []kafka.Message) (good parsed, bad []rejected) {
	out, reasons := make(parsed, len(batch)), make([]string, len(batch))
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(batch))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(batch); i += workers {
				err := panics.ToError("check of a record", func() (err error) { // which then waits in the dead-letter queue
					out[i], err = accept(batch[i])
					return err
				})
				if err != nil {
					reasons[i] = shorten(err.Error())
				}
			}
		})
	}
	wg.Wait()
	for i, reason := range reasons {
		switch {
		case reason != "":
			bad = append(bad, rejected{batch[i], reason})
		case out[i].alert != nil || out[i].incident != nil || out[i].device != nil || out[i].status != nil || out[i].evidence != nil: // a tombstone is none of them
			good = append(good, out[i])
		}
	}
	return good, bad
}

// accept parses one message. A record without a value is a tombstone of a compacted topic and is ignored.
func accept(m kafka.Message) (accepted, error) {
	a := accepted{message: m}
	if len(m.Value) > maxRecord {
		return a, fmt.Errorf("record has %d bytes, more than %d", len(m.Value), maxRecord)
	}
	switch m.Topic {
	case schemas.AlertTopic:
		if err := validate(schemas.KindAlert, m.Value); err != nil {
			return a, err
		}
		a.alert = new(schemas.Alert)
		return a, json.Unmarshal(m.Value, a.alert)
	case schemas.IncidentTopic:
		if len(m.Value) == 0 {
			return a, nil
		}
		if err := validate(schemas.KindIncident, m.Value); err != nil {
			return a, err
		}
		a.incident = new(schemas.Incident)
		return a, json.Unmarshal(m.Value, a.incident)
	case schemas.DeviceTopic:
		if len(m.Value) == 0 {
			return a, nil
		}
		if err := validate(schemas.KindDevice, m.Value); err != nil {
			return a, err
		}
		a.device = new(schemas.Device)
		return a, json.Unmarshal(m.Value, a.device)
	case schemas.StatusTopic:
		if len(m.Value) == 0 {
			return a, nil
		}
		if err := validate(schemas.KindStatus, m.Value); err != nil {
			return a, err
		}
		a.status = new(schemas.Status)
		return a, json.Unmarshal(m.Value, a.status)
	case schemas.EvidenceTopic:
		var err error
		a.evidence, err = acceptEvidence(m.Value)
		return a, err
	}
	return a, fmt.Errorf("unexpected topic %s", m.Topic)
}

// acceptEvidence parses the packets of an alert. They must be those that their hash names, of the alert that they name, and readable.
func acceptEvidence(value []byte) (*schemas.Evidence, error) {
	if len(value) > schemas.MaxEvidenceRecord {
		return nil, fmt.Errorf("record has %d bytes, more than %d", len(value), schemas.MaxEvidenceRecord)
	}
	if err := validate(schemas.KindEvidence, value); err != nil {
		return nil, err
	}
	e := new(schemas.Evidence)
	if err := json.Unmarshal(value, e); err != nil {
		return nil, err
	}
	if err := e.Check(); err != nil {
		return nil, err
	}
	f, err := packets.Read(e.Data)
	if err == nil && len(f.Packets) != e.Packets {
		err = fmt.Errorf("evidence says %d packets and has %d", e.Packets, len(f.Packets))
	}
	return e, err
}

// validate checks a record against its schema. The fast path accepts only short numbers, so it comes before checkNumbers.
func validate(k schemas.Kind, value []byte) error {
	if schemas.ValidFast(k, value) {
		return nil
	}
	if err := checkNumbers(value); err != nil {
		return err
	}
	return schemas.Validate(k, value)
}

func shorten(s string) string {
	if len(s) > maxReason {
		s = s[:maxReason] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
