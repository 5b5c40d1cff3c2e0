// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"hash/maphash"

	"stillwatch/sensor/internal/enrich"
)

// Weights of the vendor of a MAC address, in decibans. The vendor of a chip weighs nothing.
const (
	brandPoints   = 15
	odmPoints     = 6
	unknownPoints = 8 // an owner that is in no list
)

// announcedPoints is the weight of the vendor that a device announces, in decibans.
const announcedPoints = 12

// Rules of statements that are not in the table.
var (
	plainVendor       = &rule{source: MACVendor}
	announcedModel    = &rule{source: TXT, modelPoints: 15}
	announcedVendor   = &rule{source: TXT}
	announcedFirmware = &rule{source: TXT, firmwarePoints: 15}
)

// Statement is an observation and what the table says of it. Devices of which the same was observed share one. A statement may be used by
// one goroutine at a time.
type Statement struct {
	source       Source
	rule         *rule // never nil
	value        string
	vendor       string // instead of that of the rule, if the observation names it
	vendorPoints float64
	model        string
	firmware     string // as in a rule
	note         string // further words for the reader
	observed     string // TCPStack: kind of the link; Recog: the value that was observed
	from         Source // Recog: source of that value

	words      string  // what it says, as it was shown last
	wordsShare float64 // of its weight, at that time
}

// same reports whether two statements say the same, whatever their values.
func (s *Statement) same(x *Statement) bool {
	return s == x || s.source == x.source && s.rule == x.rule && s.model == x.model && s.vendor == x.vendor && s.firmware == x.firmware && s.note == x.note
}

// of returns the same statement from another source.
func (s *Statement) of(src Source) *Statement {
	if s.source == src {
		return s
	}
	x := *s
	x.source, x.words = src, ""
	return &x
}

func (s *Statement) vendorName() string {
	if s.vendor != "" || s.rule.namesVendor() {
		return s.vendor
	}
	return s.rule.vendor
}

// AnnouncedModel returns the statement of a device that announces its own model under a key of a TXT record. model must be clean.
func AnnouncedModel(key, model string) *Statement {
	return &Statement{source: TXT, rule: announcedModel, value: Clean(key + "=" + model), model: model}
}

// AnnouncedVendor is AnnouncedModel for the vendor, which is named as enrich.Canonical does.
func AnnouncedVendor(key, vendor string) *Statement {
	return &Statement{source: TXT, rule: announcedVendor, value: Clean(key + "=" + vendor), vendor: vendor, vendorPoints: announcedPoints}
}

// AnnouncedFirmware is AnnouncedModel for the firmware.
func AnnouncedFirmware(key, firmware string) *Statement {
	return &Statement{source: TXT, rule: announcedFirmware, value: Clean(key + "=" + firmware), firmware: firmware}
}

func ofVendor(v enrich.Vendor) *Statement {
	st := &Statement{source: MACVendor, rule: plainVendor, value: Clean(v.Owner), vendor: v.Name, vendorPoints: unknownPoints}
	switch v.Kind {
	case enrich.VendorBrand:
		st.vendorPoints = brandPoints
		if f := rules().match(MACVendor, v.Name); f.rule != nil {
			st.rule, st.model = f.rule, f.model
		}
	case enrich.VendorODM:
		st.vendorPoints = odmPoints
	}
	return st
}

// Cache looks up statements and keeps the recent ones: clients and servers repeat themselves, and regular expressions are slow. It is not
// safe for concurrent use.
type Cache struct {
	statements map[cacheKey]*Statement // nil: the table says nothing
	recent     [recentSlots]recent
	seed       maphash.Seed
	lists      map[uint64][]Item // by hash
	scratch    []Item            // of List
	external   External
	banners    map[cacheKey]*Statement // of Recog, at most maxStatements; nil: it says nothing
}

// NewCache returns an empty cache.
func NewCache() *Cache {
	return &Cache{statements: map[cacheKey]*Statement{}, seed: maphash.MakeSeed(), lists: map[uint64][]Item{}, banners: map[cacheKey]*Statement{}}
}

// cacheKey is a clean value of a source.
type cacheKey struct {
	source Source
	value  string
}

// recent is one value as it was observed, before it was cleaned. Each value has one slot, and the next one there replaces it.
type recent struct {
	source    Source
	value     string
	statement *Statement // nil: the table says nothing
}

const (
	recentSlots   = 1 << 10
	maxRecent     = 512      // bytes of a value: longer ones are not kept
	maxStatements = 16 << 10 // all are discarded when there are more
)

// Lookup returns what the table says of a value from the network, nil if nothing.
func (c *Cache) Lookup(src Source, value string) *Statement {
	if len(value) > maxRecent {
		return c.lookup(src, Clean(value))
	}
	p := &c.recent[maphash.String(c.seed, value)%recentSlots]
	if p.source != src || p.value != value {
		p.source, p.value, p.statement = src, value, c.lookup(src, Clean(value))
	}
	return p.statement
}

// lookup returns what the table says of a clean value, nil if nothing.
func (c *Cache) lookup(src Source, value string) *Statement {
	k := cacheKey{src, value}
	// Most values of these sources are not in the table, hardly repeat, and meet no regular expressions: only those in the table are kept.
	passing := src == Name || src == HTTPURI || src == HTTPRequest
	if !passing {
		if st, known := c.statements[k]; known {
			return st
		}
	}
	f := rules().match(src, value)
	if f.rule == nil && passing {
		return nil
	}
	if st := c.statements[k]; st != nil {
		return st
	}
	var st *Statement
	if r := f.rule; r != nil {
		st = &Statement{source: src, rule: r, value: value, vendor: f.vendor, model: f.model, firmware: f.firmware, vendorPoints: r.vendorPoints}
	}
	c.keep(k, st)
	return st
}

func (c *Cache) keep(k cacheKey, st *Statement) {
	if len(c.statements) >= maxStatements {
		clear(c.statements)
	}
	c.statements[k] = st
}

// Vendor returns the statement about the vendor of a MAC address.
func (c *Cache) Vendor(v enrich.Vendor) *Statement {
	k := cacheKey{MACVendor, v.Owner}
	st := c.statements[k]
	if st == nil {
		st = ofVendor(v)
		c.keep(k, st)
	}
	return st
}
