// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/snapshot/snapshottest"
)

const second = int64(1e9)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestNamesLookup(t *testing.T) {
	a, b, x := addr("10.0.0.1"), addr("10.0.0.2"), addr("198.51.100.7")
	n := NewNames(0)
	n.Learn(a, x, "one.example.com", 60, 0)
	n.Learn(b, x, "two.example.com", 60, second)
	tests := []struct {
		what   string
		client netip.Addr
		addr   netip.Addr
		now    int64
		want   string
	}{
		{"own answer", a, x, 2 * second, "one.example.com"},
		{"other client's own answer", b, x, 2 * second, "two.example.com"},
		{"a client that never asked gets the last answer to anybody", addr("10.0.0.9"), x, 2 * second, "two.example.com"},
		{"an address that nobody looked up", a, addr("198.51.100.8"), 2 * second, ""},
		{"kept an hour beyond a short TTL", a, x, 3600 * second, "one.example.com"},
		{"dropped after it", a, x, 3602 * second, ""},
	}
	for _, tt := range tests {
		if got, ok := n.Lookup(tt.client, tt.addr, tt.now); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %q %v, want %q", tt.what, got, ok, tt.want)
		}
	}
}

func TestLearnIgnoresEmptyInput(t *testing.T) {
	n := NewNames(4)
	n.Learn(addr("10.0.0.1"), netip.Addr{}, "x", 1, 0)
	n.Learn(addr("10.0.0.1"), addr("10.0.0.2"), "", 1, 0)
	if n.Len() != 0 {
		t.Errorf("%d entries", n.Len())
	}
}

// A client that looks up many names changes a counter, not the memory.
func TestNamesAreBounded(t *testing.T) {
	n := NewNames(1000)
	c := addr("10.0.0.1")
	var b [4]byte
	for i := range uint32(50_000) {
		binary.BigEndian.PutUint32(b[:], 0xc6000000+i)
		n.Learn(c, netip.AddrFrom4(b), "flood.example", 1<<31, int64(i))
	}
	if n.Len() != 1000 || n.Evicted() != 99_001 {
		t.Errorf("%d entries, %d evicted", n.Len(), n.Evicted())
	}
	if _, ok := n.Lookup(c, netip.AddrFrom4(b), 50_000); !ok {
		t.Error("the newest was evicted")
	}
}

// Own returns only names from answers to this client. Many names may share an address.
func TestOwnNames(t *testing.T) {
	a, b, x := addr("10.0.0.1"), addr("10.0.0.2"), addr("198.51.100.7")
	n := NewNames(0)
	n.Learn(a, x, "one.example.com", 60, 0)
	n.Learn(a, x, "two.example.com", 7200, second)
	n.Learn(a, x, "one.example.com", 60, 2*second)
	for _, tt := range []struct {
		client netip.Addr
		now    int64
		want   []string
	}{
		{a, 3 * second, []string{"one.example.com", "two.example.com"}},
		{a, 3700 * second, []string{"two.example.com"}},
		{a, 9000 * second, nil},
		{b, 3 * second, nil},
	} {
		if got := n.Own(tt.client, x, tt.now); !slices.Equal(got, tt.want) {
			t.Errorf("%v at %d: %q, want %q", tt.client, tt.now/second, got, tt.want)
		}
	}
	if !n.Asks(a, second) || n.Asks(b, second) || n.Asks(a, 86_500*second) {
		t.Error("Asks is wrong")
	}
	for i := range 100 {
		n.Learn(a, x, "n"+string(rune('a'+i%26))+string(rune('a'+i/26))+".example", 60, 0)
	}
	if got := n.Own(a, x, second); len(got) != 1+maxOlder {
		t.Errorf("%d names of one address", len(got))
	}
}

// Every field of an entry is saved.
func TestEveryFieldIsSaved(t *testing.T) {
	n := NewNames(4)
	part, key := n.Part(), nameKey{}
	got := snapshottest.Forgotten(n.pairs.Put(key), func() []byte {
		d := snapshottest.Disk{}
		n.pairs.Put(key)
		d.Drain(t, []snapshot.Part{part}, 10)
		var all []byte
		for _, v := range d.Records(part.Name) {
			all = v[8:] // after the number of its turn
		}
		return all
	}, nil)
	if len(got) > 0 {
		t.Errorf("%q are not saved", got)
	}
}
