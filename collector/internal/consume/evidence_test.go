// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/sample"
	"stillwatch/schemas"
)

// TestEvidenceIsChecked rejects packets that are malformed, or belong to another record.
func TestEvidenceIsChecked(t *testing.T) {
	message := func(change func(*schemas.Evidence)) kafka.Message {
		e := sample.Evidence(alertID(1), "sensor-1")
		change(e)
		value, err := schemas.AppendEvidence(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		return kafka.Message{Topic: schemas.EvidenceTopic, Value: value}
	}
	a, err := accept(message(func(*schemas.Evidence) {}))
	if err != nil || a.evidence == nil || len(parsed{a}.batch(nil).Evidence) != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	for name, c := range map[string]struct {
		change func(*schemas.Evidence)
		want   string
	}{
		"other bytes":   {func(e *schemas.Evidence) { e.Data[60] ^= 1 }, "sha256"},
		"other alert":   {func(e *schemas.Evidence) { e.Alert = alertID(2) }, "another alert"},
		"wrong count":   {func(e *schemas.Evidence) { e.Packets = 2 }, "says 2 packets and has 1"},
		"no alert":      {func(e *schemas.Evidence) { e.Alert = "" }, "alert"},
		"no pcapng":     {func(e *schemas.Evidence) { e.Data = []byte("#!/bin/sh"); sample.Seal(e) }, "no pcapng"},
		"damaged block": {func(e *schemas.Evidence) { e.Data[len(e.Data)-1] = 1; sample.Seal(e) }, "no pcapng"},
		"too large": {func(e *schemas.Evidence) {
			e.Data = append(e.Data, make([]byte, schemas.MaxEvidence)...)
			sample.Seal(e)
		}, "data"},
		"a huge record": {func(e *schemas.Evidence) { e.Data = make([]byte, schemas.MaxEvidenceRecord); sample.Seal(e) }, "more than 524288"},
	} {
		if a, err := accept(message(c.change)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v", name, a.evidence, err)
		}
	}
}
