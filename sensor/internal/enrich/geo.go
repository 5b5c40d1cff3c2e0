// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"stillwatch/sensor/internal/datafile"
)

// MMDB is a database of the operator in the format MaxMind DB, with countries or autonomous systems by address.
type MMDB struct {
	Head   datafile.Head
	reader *maxminddb.Reader
}

// The operator's databases in use; empty if there is none.
var (
	OperatorCountries = datafile.NewSlot(func() *MMDB { return &MMDB{} })
	OperatorASN       = datafile.NewSlot(func() *MMDB { return &MMDB{} })
)

// ParseMMDB checks the head of a database and some thousand of its addresses. It does not walk the whole tree: one with loops has no end,
// while a lookup always has.
func ParseMMDB(b []byte) (*MMDB, error) {
	r, err := maxminddb.OpenBytes(b)
	if err != nil {
		return nil, fmt.Errorf("no MaxMind DB: %w", err)
	}
	for i := range 1 << 12 {
		a := netip.AddrFrom4([4]byte{byte(i >> 4), byte(i << 4), 1, 1})
		if i >= 1<<11 {
			a = netip.AddrFrom16([16]byte{0x20 | byte(i>>6), byte(i << 2), byte(i), 1})
		}
		if a.Is6() && r.Metadata.IPVersion == 4 {
			break
		}
		var rec any
		if err := r.Lookup(a).Decode(&rec); err != nil {
			return nil, fmt.Errorf("damaged MaxMind DB: %w", err)
		}
	}
	built := time.Unix(int64(r.Metadata.BuildEpoch), 0).UTC()
	return &MMDB{datafile.Head{Date: built.Format(time.DateOnly), License: "the operator's", Source: clip(r.Metadata.DatabaseType, 80)}, r}, nil
}

// ASNs reports whether the database says that it is one of autonomous systems.
func (m *MMDB) ASNs() bool { return strings.Contains(strings.ToLower(m.Head.Source), "asn") }

// Rows returns the number of nodes of the search tree.
func (m *MMDB) Rows() int { return int(m.reader.Metadata.NodeCount) }

// Country returns the country of an address and the date of the table that says so; both "" if none does. A database of the operator
// comes before the embedded table.
func Country(a netip.Addr) (country, date string) {
	if m := OperatorCountries.Get(); m.reader != nil {
		if a = a.Unmap(); !public(a) {
			return "", ""
		}
		var rec struct {
			Country struct {
				Code string `maxminddb:"iso_code"`
			} `maxminddb:"country"`
			Code string `maxminddb:"country_code"`
		}
		if m.reader.Lookup(a).Decode(&rec) != nil { // damaged there, or an IPv6 address in a database of IPv4
			return "", ""
		}
		for _, code := range []string{rec.Country.Code, rec.Code} {
			if len(code) == 2 && code == strings.ToUpper(code) && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
				return code, m.Head.Date
			}
		}
		return "", ""
	}
	c := ByAddress.Get()
	if country = c.Of(a); country != "" {
		date = c.Head.Date
	}
	return country, date
}

// ASN returns the number and the name of the autonomous system of an address, 0 without a database of the operator.
func ASN(a netip.Addr) (number uint32, name string) {
	m := OperatorASN.Get()
	if a = a.Unmap(); m.reader == nil || !public(a) {
		return 0, ""
	}
	var rec struct {
		Number uint32 `maxminddb:"autonomous_system_number"`
		Name   string `maxminddb:"autonomous_system_organization"`
	}
	if err := m.reader.Lookup(a).Decode(&rec); err != nil {
		return 0, ""
	}
	return rec.Number, clip(rec.Name, 120)
}

func clip(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.ToValidUTF8(s, "")
}
