// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

// maxRecord bounds what is parsed; a larger record is a dead letter unseen.
const maxRecord = 4 << 20

// maxReason bounds the reason of a dead letter: a validator repeats what it was given.
const maxReason = 1000

// letter is a message that cannot be accepted.
type letter struct {
	message kafka.Message
	reason  string
}

// accepted is a message and what was read from it: one of the two.
type accepted struct {
	message kafka.Message
	alert   *schemas.Alert
	device  *schemas.Device
}

type parsed []accepted

// batch gives what the store takes.
func (p parsed) batch(letters []letter) (b store.Batch) {
	for _, a := range p {
		if a.alert != nil {
			b.Alerts = append(b.Alerts, store.AlertRecord{Alert: a.alert, JSON: a.message.Value})
		} else {
			b.Devices = append(b.Devices, store.DeviceRecord{Device: a.device, JSON: a.message.Value})
		}
	}
	for _, l := range letters {
		b.Dead = append(b.Dead, store.DeadLetter{Topic: l.message.Topic, Partition: l.message.Partition, Offset: l.message.Offset,
			Reason: l.reason, Key: l.message.Key, Value: l.message.Value})
	}
	return b
}

// parse validates a batch on all processors and keeps its order.
func parse(batch []kafka.Message) (good parsed, bad []letter) {
	out, reasons := make(parsed, len(batch)), make([]string, len(batch))
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(batch))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(batch); i += workers {
				var err error
				if out[i], err = accept(batch[i]); err != nil {
					reasons[i] = shorten(err.Error())
				}
			}
		})
	}
	wg.Wait()
	for i, reason := range reasons {
		switch {
		case reason != "":
			bad = append(bad, letter{batch[i], reason})
		case out[i].alert != nil || out[i].device != nil: // a tombstone of the compacted topic is neither
			good = append(good, out[i])
		}
	}
	return good, bad
}

// accept reads one message. A device record without a value says that the device is forgotten in the topic: nothing to
// store, nothing wrong.
func accept(m kafka.Message) (accepted, error) {
	a := accepted{message: m}
	if len(m.Value) > maxRecord {
		return a, fmt.Errorf("%d bytes: a record has at most %d", len(m.Value), maxRecord)
	}
	switch m.Topic {
	case schemas.AlertTopic:
		if err := validate(schemas.KindAlert, m.Value); err != nil {
			return a, err
		}
		a.alert = new(schemas.Alert)
		return a, json.Unmarshal(m.Value, a.alert)
	case schemas.DeviceTopic:
		if len(m.Value) == 0 {
			return a, nil
		}
		if err := validate(schemas.KindDevice, m.Value); err != nil {
			return a, err
		}
		a.device = new(schemas.Device)
		return a, json.Unmarshal(m.Value, a.device)
	}
	return a, fmt.Errorf("the collector does not read the topic %s", m.Topic)
}

// validate holds a record against its schema, after its numbers if they are not known to be plain ones.
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
