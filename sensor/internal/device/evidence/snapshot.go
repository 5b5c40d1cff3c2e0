// SPDX-License-Identifier: Apache-2.0

package device

import (
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/snapshot"
)

// How a statement is found again from what is kept of it.
const (
	fromTable  uint8 = iota // by source and text
	fromMaker               // the maker behind a MAC
	saidModel               // a device's own word
	saidVendor              // a device's own word
)

// keptClaim is what is kept of a claim.
type keptClaim struct {
	how    uint8
	source source
	value  string
	name   string // maker, vendor or model
	kind   enrich.VendorKind
	at     int64
}

func keep(x *claim) keptClaim {
	k := keptClaim{how: fromTable, source: x.source, value: x.value, at: x.at}
	switch {
	case x.source == obsVendor:
		k.how, k.name = fromMaker, x.vendor
		switch x.vdb {
		case brandDB:
			k.kind = enrich.VendorBrand
		case odmDB:
			k.kind = enrich.VendorODM
		}
	case x.rule == statedModel:
		k.how, k.name = saidModel, x.model
	case x.rule == announceRule:
		k.how, k.name = saidVendor, x.vendor
	}
	return k
}

// statement gives what the table says of it today, nil if nothing.
func (r *Registry) statement(k *keptClaim) *statement {
	switch k.how {
	case fromMaker:
		key := memoKey{obsVendor, k.value}
		st := r.memo[key]
		if st == nil {
			st = makerStatement(enrich.Maker{Name: k.name, Owner: k.value, Kind: k.kind})
			r.remember(key, st)
		}
		return st
	case saidModel:
		return &statement{source: obsTXT, rule: statedModel, value: k.value, model: k.name}
	case saidVendor:
		return &statement{source: obsTXT, rule: announceRule, value: k.value, vendor: k.name, vdb: announcedDB}
	}
	if k.value == "" || k.source == obsVendor {
		return nil
	}
	return r.lookup(k.source, k.value)
}

func (r *Registry) walkClaims(c *snapshot.Codec, d *Device) {
	n := c.Len(len(d.claims), maxClaims)
	for i := range n {
		var k keptClaim
		if !c.Reading() {
			k = keep(&d.claims[i])
		}
		snapshot.Enum(c, &k.how, saidVendor)
		snapshot.Enum(c, &k.source, numSources-1)
		c.String(&k.value)
		c.String(&k.name)
		snapshot.Enum(c, &k.kind, enrich.VendorChip)
		c.Time(&k.at)
		if !c.Reading() {
			continue
		}
		if st := r.statement(&k); st != nil {
			d.claims = append(d.claims, claim{st, k.at})
		}
	}
}
