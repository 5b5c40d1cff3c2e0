// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

func sampleRecord(i uint64) Record {
	return Record{Index: i, At: 1_700_000_000_000_000_000 + int64(i), Rank: Rank(i % uint64(numRanks)), Topic: "stillwatch.alerts.v1", Key: "mac:b8:ca:3a:00:00:17",
		Headers: []Header{{"ce_id", "a"}, {"empty", ""}}, Value: []byte(`{"schema":"stillwatch.alert/1"}`)}
}

func TestRecordsRoundTrip(t *testing.T) {
	bare := Record{Value: []byte{}}
	for _, want := range []Record{sampleRecord(3), bare, {Topic: strings.Repeat("t", 255), Key: strings.Repeat("k", 65535), Value: bytes.Repeat([]byte{0xf5}, 100)}} {
		if err := want.check(); err != nil {
			t.Fatal(err)
		}
		b := appendRecord([]byte("before"), &want)[6:]
		got, n, err := readRecord(append(b, "after"...))
		if err != nil || n != len(b) || !reflect.DeepEqual(got, want) {
			t.Errorf("%v, %d of %d bytes:\ngot  %+v\nwant %+v", err, n, len(b), got, want)
		}
		for cut := range b {
			if _, _, err := readRecord(b[:cut:cut]); !errors.Is(err, errTorn) {
				t.Fatalf("%d of %d bytes: %v", cut, len(b), err)
			}
		}
		for at := range b {
			b[at] ^= 0x10
			if r, _, err := readRecord(b); err == nil {
				t.Fatalf("byte %d is wrong, and the record was taken: %+v", at, r)
			}
			b[at] ^= 0x10
		}
	}
}

func TestOversizedRecordsAreRefused(t *testing.T) {
	for name, r := range map[string]Record{
		"topic":  {Topic: strings.Repeat("t", 256)},
		"key":    {Key: strings.Repeat("k", 65536)},
		"header": {Headers: []Header{{"h", strings.Repeat("v", 65536)}}},
		"many":   {Headers: make([]Header, 256)},
		"value":  {Value: make([]byte, MaxRecord)},
		"rank":   {Rank: numRanks},
	} {
		if err := r.check(); !errors.Is(err, errRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestScanSkipsDamage(t *testing.T) {
	var b []byte
	var ends []int
	for i := range uint64(5) {
		r := sampleRecord(i)
		b = appendRecord(b, &r)
		ends = append(ends, len(b))
	}
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		want   string // indexes
		d      damage
	}{
		{"whole", func(b []byte) []byte { return b }, "01234", damage{}},
		{"cut in a record", func(b []byte) []byte { return b[:len(b)-3] }, "0123", damage{torn: ends[4] - ends[3] - 3}},
		{"zeros at the end", func(b []byte) []byte { return append(b, make([]byte, 50)...) }, "01234", damage{torn: 50}},
		{"bad value", func(b []byte) []byte { b[ends[1]-1] ^= 1; return b }, "0234", damage{places: 1}},
		{"bad length", func(b []byte) []byte { b[ends[1]+5] = 0xff; return b }, "0134", damage{places: 1}},
		{"two places", func(b []byte) []byte { b[0] ^= 1; b[ends[2]] ^= 1; return b }, "124", damage{places: 2}},
		{"neighbors are one place", func(b []byte) []byte { b[ends[0]] ^= 1; b[ends[1]] ^= 1; return b }, "034", damage{places: 1}},
		{"bad sum of the last", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, "0123", damage{torn: ends[4] - ends[3]}},
		{"nothing left", func([]byte) []byte { return make([]byte, 100) }, "", damage{torn: 100}},
	} {
		got := ""
		_, d := scan(c.change(bytes.Clone(b)), func(r *Record, _, _ int) bool { got += string(rune('0' + r.Index)); return true })
		if got != c.want || d != c.d {
			t.Errorf("%s: %q, %+v, want %q, %+v", c.name, got, d, c.want, c.d)
		}
	}
}

func FuzzScan(f *testing.F) {
	r := sampleRecord(1)
	whole := appendRecord(nil, &r)
	f.Add(whole)
	f.Add(append(bytes.Clone(whole[:20]), whole...))
	f.Add(append(recordMagic[:], 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		last := 0
		end, d := scan(b, func(r *Record, at, n int) bool {
			if at < last || at+n > len(b) || len(r.Value) > n {
				t.Fatalf("record of %d bytes at %d, after %d, of %d", n, at, last, len(b))
			}
			last = at + n
			return true
		})
		if end != last || d.torn != len(b)-end {
			t.Fatalf("end %d, torn %d, last record ends at %d of %d", end, d.torn, last, len(b))
		}
	})
}
