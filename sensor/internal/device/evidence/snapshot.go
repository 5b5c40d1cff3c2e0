// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/snapshot"
)

// How a statement is made again from what was saved of it. The numbers are part of saved states.
const (
	ofTable             uint8 = iota // looked up by source and value
	ofMACVendor                      // see Cache.Vendor
	ofAnnouncedModel                 // see AnnouncedModel
	ofAnnouncedVendor                // see AnnouncedVendor
	ofAnnouncedFirmware              // see AnnouncedFirmware
	ofTCPStack                       // see Cache.Stack
	ofRecog                          // see Cache.Recog
)

// savedClaim is what is saved of a claim: what was observed, not what the table says of it.
type savedClaim struct {
	how    uint8
	source Source
	value  string
	name   string // vendor, model or firmware
	kind   enrich.VendorKind
	at     int64
}

func save(x *Claim) savedClaim {
	s := savedClaim{how: ofTable, source: x.source, value: x.value, at: x.At}
	switch {
	case x.source == MACVendor:
		s.how, s.name = ofMACVendor, x.vendor
		switch x.vendorPoints {
		case brandPoints:
			s.kind = enrich.VendorBrand
		case odmPoints:
			s.kind = enrich.VendorODM
		}
	case x.rule == announcedModel:
		s.how, s.name = ofAnnouncedModel, x.model
	case x.rule == announcedVendor:
		s.how, s.name = ofAnnouncedVendor, x.vendor
	case x.rule == announcedFirmware:
		s.how, s.name = ofAnnouncedFirmware, x.firmware
	case x.source == TCPStack:
		s.how, s.name = ofTCPStack, x.observed
	case x.source == Recog:
		s.how, s.source, s.value = ofRecog, x.from, x.observed
	}
	return s
}

// restore returns what the table says today of what was saved, nil if nothing.
func (c *Cache) restore(s *savedClaim) *Statement {
	switch s.how {
	case ofMACVendor:
		return c.Vendor(enrich.Vendor{Name: s.name, Owner: s.value, Kind: s.kind})
	case ofAnnouncedModel:
		return &Statement{source: TXT, rule: announcedModel, value: s.value, model: s.name}
	case ofAnnouncedVendor:
		return &Statement{source: TXT, rule: announcedVendor, value: s.value, vendor: s.name, vendorPoints: announcedPoints}
	case ofAnnouncedFirmware:
		return &Statement{source: TXT, rule: announcedFirmware, value: s.value, firmware: s.name}
	}
	switch {
	case s.how == ofTCPStack && s.source == TCPStack && s.value != "":
		return ofStack(s.value, s.name)
	case s.how == ofRecog:
		return c.Recog(s.source, s.value)
	}
	if s.value == "" || s.source == MACVendor {
		return nil
	}
	return c.lookup(s.source, s.value)
}

// Renew returns the claims that the table in use makes of what was observed.
func (c *Cache) Renew(old Claims) (cs Claims) {
	for i := range old {
		s := save(&old[i])
		if st := c.restore(&s); st != nil {
			cs.Add(Claim{st, s.at})
		}
	}
	return cs
}

// Walk saves or restores the claims of one device.
func (c *Cache) Walk(codec *snapshot.Codec, cs *Claims) {
	n := codec.Len(len(*cs), MaxClaims)
	for i := range n {
		var s savedClaim
		if !codec.Reading() {
			s = save(&(*cs)[i])
		}
		snapshot.Enum(codec, &s.how, ofRecog)
		snapshot.Enum(codec, &s.source, numSources-1)
		codec.String(&s.value)
		codec.String(&s.name)
		snapshot.Enum(codec, &s.kind, enrich.VendorChip)
		codec.Time(&s.at)
		if !codec.Reading() {
			continue
		}
		if st := c.restore(&s); st != nil {
			*cs = append(*cs, Claim{st, s.at})
		}
	}
}
