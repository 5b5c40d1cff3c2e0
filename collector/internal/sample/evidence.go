// SPDX-License-Identifier: Apache-2.0

package sample

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"stillwatch/schemas"
)

// Evidence returns packets of an alert: a SYN with a comment.
func Evidence(alert, sensor string) *schemas.Evidence {
	frame := []byte("\x00\x1b\x54\x00\x00\x01\xb8\xca\x3a\x00\x00\x17\x08\x00" + // Ethernet
		"\x45\x00\x00\x28\x00\x01\x00\x00\x40\x06\x00\x00\x0a\x14\x0a\x11\xc6\x33\x64\x17" + // IPv4
		"\xc0\x00\x01\xbb\x00\x00\x00\x01\x00\x00\x00\x00\x50\x02\x39\x08\x00\x00\x00\x00") // TCP, SYN
	data := block(0x0a0d0d0a, numbers(0x1a2b3c4d, 1, 0xffffffff, 0xffffffff), option(1, schemas.EvidenceTitle(alert)+" rule D01 Unexpected outbound"))
	data = append(data, block(1, numbers(1, 640), option(9, "\x09"))...)
	at := uint64(1_780_000_000_000_000_000)
	data = append(data, block(6, numbers(0, uint32(at>>32), uint32(at), uint32(len(frame)), uint32(len(frame))), padded(frame), option(1, "packet 7; <b>the alert</b> was decided with this packet"))...)
	e := &schemas.Evidence{Schema: schemas.EvidenceSchema, Alert: alert, Packets: 1, Summary: "1 packet of the device", Time: schemas.Time(at),
		Sensor: schemas.EvidenceSensor{ID: sensor}, Data: data}
	Seal(e)
	return e
}

// Seal sets the hash of changed data.
func Seal(e *schemas.Evidence) {
	sum := sha256.Sum256(e.Data)
	e.SHA256 = hex.EncodeToString(sum[:])
}

// block returns a block of pcapng: kind, length, parts, end of the options, length.
func block(kind uint32, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	n := uint32(len(body) + 16)
	return append(append(numbers(kind, n), body...), numbers(0, n)...)
}

func numbers(all ...uint32) (b []byte) {
	for _, n := range all {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

func option(code uint16, value string) []byte {
	return append(numbers(uint32(code)|uint32(len(value))<<16), padded([]byte(value))...)
}

func padded(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
