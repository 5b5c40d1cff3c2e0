// SPDX-License-Identifier: Apache-2.0

package schemas

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// MaxEvidence is the most bytes of the packets of one alert, and MaxEvidenceRecord of the record with them: base64 takes a third more.
const (
	MaxEvidence       = 256 << 10
	MaxEvidenceRecord = 512 << 10
)

// Evidence is the packets of one alert, a file in the format pcapng. The alert names it by its SHA-256.
type Evidence struct {
	Schema  string         `json:"schema"`
	Alert   string         `json:"alert"`  // id
	SHA256  string         `json:"sha256"` // of Data, in hexadecimal
	Packets int            `json:"packets"`
	Summary string         `json:"summary"` // what the file has and what it lacks, one line
	Time    Time           `json:"time"`    // capture clock when the alert was decided
	Sensor  EvidenceSensor `json:"sensor"`
	Data    []byte         `json:"data"` // base64 in JSON
}

// EvidenceSensor names the sensor that raised the alert.
type EvidenceSensor struct {
	ID   string `json:"id"`
	Site string `json:"site,omitempty"`
}

// AppendEvidence appends e as one JSON object without a trailing newline.
func AppendEvidence(b []byte, e *Evidence) ([]byte, error) { return appendJSON(b, e) }

// EvidenceTitle is how the comment of a file with the packets of an alert begins.
func EvidenceTitle(alert string) string { return "stillwatch alert " + alert + "," }

// The block and the option at the beginning of a file (IETF draft-ietf-opsawg-pcapng, sections 4.1 and 3.5).
const (
	sectionBlock   = 0x0a0d0d0a
	sectionOptions = 24 // where its options begin
	commentOption  = 1
)

// Check reports what the schema cannot express: whether the packets are those that the hash names, within the limit, and a file of this alert.
func (e *Evidence) Check() error {
	if len(e.Data) > MaxEvidence {
		return fmt.Errorf("evidence has %d bytes of packets, more than %d", len(e.Data), MaxEvidence)
	}
	if sum := sha256.Sum256(e.Data); e.SHA256 != hex.EncodeToString(sum[:]) {
		return errors.New("evidence has packets that differ from its sha256")
	}
	d := e.Data
	if len(d) < sectionOptions+4 || binary.LittleEndian.Uint32(d) != sectionBlock || binary.LittleEndian.Uint16(d[sectionOptions:]) != commentOption {
		return errors.New("evidence is no pcapng file of stillwatch")
	}
	if !bytes.HasPrefix(d[sectionOptions+4:], []byte(EvidenceTitle(e.Alert))) {
		return errors.New("evidence has packets of another alert")
	}
	return nil
}
