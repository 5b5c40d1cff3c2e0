// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// Rank is the priority of a record: a full spool drops the lowest first.
type Rank uint8

// The ranks, in rising order: sessions and the status of the sensor, devices, packets of alerts, then alerts by severity.
const (
	RankSession Rank = iota
	RankDevice
	RankEvidence
	RankInformational
	RankLow
	RankMedium
	RankHigh
	RankCritical
	numRanks
)

// String returns the name that metrics and messages use.
func (r Rank) String() string {
	if r >= numRanks {
		return fmt.Sprintf("rank(%d)", uint8(r))
	}
	return [numRanks]string{"session", "device", "evidence", "informational", "low", "medium", "high", "critical"}[r]
}

// Header is one header of a Kafka record.
type Header struct{ Key, Value string }

// Record is a record in the spool.
type Record struct {
	Index   uint64 // assigned by Append, strictly increasing
	At      int64  // when it was appended, wall clock, nanoseconds since the Unix epoch
	Rank    Rank
	Topic   string
	Key     string
	Headers []Header
	Value   []byte
}

// A record on disk is a head and a payload, all numbers little-endian:
//
//	magic    4 bytes; two of them occur in no UTF-8 text, so a record's value cannot pretend to be the next record
//	length   u32, of the payload
//	crc      u32, CRC-32C of the payload
//	payload  version u8, rank u8, index u64, at i64, names u32+bytes, value to the end
//	names    topic u8+bytes, key u16+bytes, headers u8 × (key u8+bytes, value u16+bytes)
const (
	headBytes     = 12
	recordVersion = 2
	firstVersion  = 1 // without RankEvidence
	// MaxRecord is the largest payload of a record in the spool, far above the size of any alert.
	MaxRecord = 8 << 20
)

var recordMagic = [4]byte{0xf5, 'S', 'W', 0xff}

func castagnoli(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// errRecord means that a record does not fit the format on disk.
var errRecord = errors.New("record does not fit the spool")

// check checks r against the limits of the format on disk.
func (r *Record) check() error {
	if len(r.Topic) > math.MaxUint8 || len(r.Key) > math.MaxUint16 || len(r.Headers) > math.MaxUint8 || r.Rank >= numRanks {
		return fmt.Errorf("%w: topic of %d bytes, key of %d, %d headers", errRecord, len(r.Topic), len(r.Key), len(r.Headers))
	}
	size := len(r.Value) + len(r.Key)
	for _, h := range r.Headers {
		if len(h.Key) > math.MaxUint8 || len(h.Value) > math.MaxUint16 {
			return fmt.Errorf("%w: header of %d and %d bytes", errRecord, len(h.Key), len(h.Value))
		}
		size += len(h.Key) + len(h.Value) + 3
	}
	if size+300 > MaxRecord {
		return fmt.Errorf("%w: %d bytes", errRecord, size)
	}
	return nil
}

// appendRecord appends head and payload. r must have passed check.
func appendRecord(b []byte, r *Record) []byte {
	start := len(b)
	b = append(b, recordMagic[:]...)
	b = append(b, make([]byte, headBytes-len(recordMagic))...)
	b = append(b, recordVersion, byte(r.Rank))
	b = binary.LittleEndian.AppendUint64(b, r.Index)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.At))
	b = append(b, 0, 0, 0, 0)
	names := len(b)
	b = append(append(b, byte(len(r.Topic))), r.Topic...)
	b = append(binary.LittleEndian.AppendUint16(b, uint16(len(r.Key))), r.Key...)
	b = append(b, byte(len(r.Headers)))
	for _, h := range r.Headers {
		b = append(append(b, byte(len(h.Key))), h.Key...)
		b = append(binary.LittleEndian.AppendUint16(b, uint16(len(h.Value))), h.Value...)
	}
	binary.LittleEndian.PutUint32(b[names-4:], uint32(len(b)-names))
	b = append(b, r.Value...)
	payload := b[start+headBytes:]
	binary.LittleEndian.PutUint32(b[start+4:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[start+8:], castagnoli(payload))
	return b
}

// errTorn means that the bytes end within a record, errBad that they are not a record.
var (
	errTorn = errors.New("record is cut")
	errBad  = errors.New("record is damaged")
)

// readRecord reads the record at the start of b and returns its length with the head. The value of the record aliases b.
func readRecord(b []byte) (Record, int, error) {
	var r Record
	if len(b) < headBytes {
		return r, 0, errTorn
	}
	n := int(binary.LittleEndian.Uint32(b[4:]))
	if [4]byte(b) != recordMagic || n > MaxRecord {
		return r, 0, errBad
	}
	if len(b)-headBytes < n {
		return r, 0, errTorn
	}
	payload := b[headBytes : headBytes+n]
	if castagnoli(payload) != binary.LittleEndian.Uint32(b[8:]) {
		return r, 0, errBad
	}
	return r, headBytes + n, r.decode(payload)
}

// fixedBytes is the length of a payload before its names.
const fixedBytes = 1 + 1 + 8 + 8 + 4

// decode reads a payload whose checksum is right: an error in it comes from a bug or another version.
func (r *Record) decode(p []byte) error {
	if len(p) < fixedBytes || p[0] < firstVersion || p[0] > recordVersion || Rank(p[1])+Rank(recordVersion-p[0]) >= numRanks {
		return errBad
	}
	if r.Rank = Rank(p[1]); p[0] == firstVersion && r.Rank >= RankEvidence {
		r.Rank++
	}
	r.Index, r.At = binary.LittleEndian.Uint64(p[2:]), int64(binary.LittleEndian.Uint64(p[10:]))
	n := int(binary.LittleEndian.Uint32(p[18:]))
	p = p[fixedBytes:]
	if n > len(p) {
		return errBad
	}
	r.Value = p[n:]
	c := names{string(p[:n]), true} // one string, of which all names are parts
	r.Topic, r.Key = c.text(c.number(1)), c.text(c.number(2))
	headers := c.number(1)
	if c.ok && headers > 0 {
		r.Headers = make([]Header, 0, headers)
	}
	for range headers {
		key := c.text(c.number(1))
		r.Headers = append(r.Headers, Header{key, c.text(c.number(2))})
	}
	if !c.ok || c.rest != "" {
		return errBad
	}
	return nil
}

// names reads parts from the front of a string; ok is false once it was too short.
type names struct {
	rest string
	ok   bool
}

func (c *names) text(n int) string {
	if !c.ok || n > len(c.rest) {
		c.ok = false
		return ""
	}
	s := c.rest[:n]
	c.rest = c.rest[n:]
	return s
}

// number reads a little-endian number of one or two bytes.
func (c *names) number(bytes int) (n int) {
	s := c.text(bytes)
	for i := len(s) - 1; i >= 0; i-- {
		n = n<<8 | int(s[i])
	}
	return n
}
