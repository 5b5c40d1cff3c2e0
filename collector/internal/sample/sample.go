// SPDX-License-Identifier: Apache-2.0

// Package sample generates alerts for tests and benchmarks, and checks that they were stored.
package sample

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/segmentio/kafka-go"

	"stillwatch/schemas"
)

// ID returns the id of the n-th alert.
func ID(n int) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// Alert returns the first revision of the n-th alert: sequence number n+1 of one run of one sensor, about one of 100 devices.
func Alert(n int) *schemas.Alert {
	at := schemas.Time(1_780_000_000_000_000_000) + schemas.Time(n)*1e9
	device, port := netip.AddrFrom4([4]byte{10, 20, 0, byte(n % 100)}), uint16(443)
	peer := netip.MustParseAddr("198.51.100.23")
	name := fmt.Sprintf("camera-%d", n%100)
	return &schemas.Alert{
		Schema: schemas.AlertSchema, ID: ID(n), Revision: 1, Action: "create", IncidentID: ID(1_000_000 + n/20),
		Time:   schemas.AlertTime{EventStart: at, EventEnd: at, DetectedAt: at, EmittedAt: &at},
		Sensor: schemas.AlertSensor{ID: "sensor-1", Version: "1.0.0", Capture: "afpacket", BootID: "boot", Seq: uint64(n + 1)},
		Rule:   schemas.AlertRule{ID: "D01", Name: "Unexpected outbound", Kind: "unexpected_outbound", Version: 1},
		Title:  name + " opened a session outward", Message: "Expected to open nothing; opened 443/tcp to relay.example.net.",
		Severity: "high", RiskScore: 80, Confidence: 80,
		Reasons: []schemas.AlertReason{{Code: "answered", Text: "the peer answered", Weight: 0.2}},
		Device:  schemas.AlertDevice{Key: name, IP: device, Role: "camera", Expect: "silent"},
		Peer:    &schemas.AlertPeer{IP: peer, Port: &port, Scope: "external", Domain: &schemas.Domain{Name: "relay.example.net", Source: "sni"}},
		Session: &schemas.Session{Schema: schemas.SessionSchema, Start: at, End: at, Initiator: schemas.Endpoint{IP: device}, Responder: schemas.Endpoint{IP: peer, Port: &port},
			InitiatorBasis: "syn", Proto: "tcp", CommunityID: fmt.Sprintf("1:%027d=", n), State: "closed", App: "tls"},
		Entities:       []string{"ip:" + device.String(), "ip:198.51.100.23", "domain:relay.example.net"},
		Dedupe:         schemas.AlertDedupe{Key: "198.51.100.23:443/tcp", WindowS: 86400, Count: 1, FirstSeen: at, LastSeen: at},
		Recommendation: "Find the process that opened it.",
	}
}

// JSON returns the n-th alert as a Kafka value.
func JSON(n int) []byte {
	line, err := schemas.AppendAlert(nil, Alert(n))
	if err != nil {
		panic(err) // impossible: all numbers are finite
	}
	return line
}

// Records returns the alerts from to to-1 of one partition if alerts are distributed round-robin over parts partitions.
func Records(from, to, partition, parts int) []kafka.Record {
	var out []kafka.Record
	for n := from; n < to; n++ {
		if n%parts == partition {
			out = append(out, kafka.Record{Key: kafka.NewBytes([]byte(Alert(n).Device.Key)), Value: kafka.NewBytes(JSON(n))})
		}
	}
	return out
}
