// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/parse"
)

func FuzzDNS(f *testing.F) {
	f.Add(dissecttest.DNSResponse(f))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		m, records, ok := readMessage(b, "", true)
		if !ok {
			return
		}
		if len(m.Answers) > maxAnswers || len(records.services) > maxServices || len(m.QName) > 4*255 || !parse.IsPlain([]byte(m.QName)) {
			t.Fatalf("%+v", m)
		}
	})
}
