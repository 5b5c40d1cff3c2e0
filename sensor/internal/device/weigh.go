// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"stillwatch/sensor/internal/enrich"
)

// Weights of the makers behind a MAC (decibans for the vendor).
const (
	brandDB   = 15
	odmDB     = 6
	unknownDB = 8
)

// cheapCap bounds what link layer and announcements can say for a role together until the device was seen to answer or to
// act as such: anybody can forge an announcement or a MAC.
const cheapCap = 20

// prior is the base rate of each role in decibans; unknown stands at 0 with its own mass.
var prior = [numRoles]float64{Camera: -7, NVR: -13, VMS: -17, Server: -7, Workstation: -6, Phone: -7, Printer: -13,
	NetworkGear: -10, IoTHub: -12, IoT: -7}

// maxClaims bounds the evidence kept of one device.
const maxClaims = 64

// claim is one observation that a row of the table speaks about.
type claim struct {
	source source
	rule   *rule // never nil
	value  string
	vendor string // instead of the row's, where the observation names it
	model  string
	fw     string
	vdb    float64
	at     int64
}

func (c *claim) vendorName() string {
	if c.vendor != "" {
		return c.vendor
	}
	return c.rule.vendor
}

// decay halves the weight of old evidence once a half-life.
func (c *claim) decay(now int64) float64 {
	age := float64(max(now-c.at, 0)) / dayNs
	return math.Exp2(-age / float64(sources[c.source].half))
}

// observe weighs an observation, if the table has a row for it.
func (r *Registry) observe(d *Device, src source, value string, now int64) {
	if value == "" {
		return
	}
	value = clean(value)
	m := r.lookup(src, value)
	if m.rule == nil {
		return
	}
	r.claim(d, claim{source: src, rule: m.rule, value: value, model: m.model, fw: m.fw, vdb: m.rule.vdb, at: now})
}

// memoKey and matched remember what the table says of a text. Servers and clients repeat themselves, and regular
// expressions are slow.
type memoKey struct {
	src   source
	value string
}

type matched struct {
	rule      *rule
	model, fw string
}

// maxMemo bounds what is remembered; it is forgotten as a whole when it is reached, and found anew.
const maxMemo = 16 << 10

func (r *Registry) lookup(src source, value string) (m matched) {
	// These hardly repeat and have no regular expressions.
	if src == obsName || src == obsURI || src == obsRequest {
		m.rule, m.model, m.fw = rules().match(src, value)
		return m
	}
	k := memoKey{src, value}
	m, known := r.memo[k]
	if !known {
		m.rule, m.model, m.fw = rules().match(src, value)
		if len(r.memo) >= maxMemo {
			clear(r.memo)
		}
		r.memo[k] = m
	}
	return m
}

var (
	makerRule    = &rule{row: row{src: obsVendor}}
	announceRule = &rule{row: row{src: obsTXT}}
)

// observeMaker weighs the maker behind a MAC. A chip maker is no vendor evidence.
func (r *Registry) observeMaker(d *Device, m enrich.Maker, now int64) {
	c := claim{source: obsVendor, rule: makerRule, value: clean(m.Owner), vendor: m.Name, at: now}
	switch m.Kind {
	case enrich.VendorBrand:
		c.vdb = brandDB
		if x, model, _ := rules().match(obsVendor, m.Name); x != nil {
			c.rule, c.model = x, model
		}
	case enrich.VendorODM:
		c.vdb = odmDB
	case enrich.VendorChip:
		return
	default:
		c.vdb = unknownDB
	}
	d.claims = slices.DeleteFunc(d.claims, func(x claim) bool { return x.source == obsVendor })
	r.claim(d, c)
}

func (r *Registry) claim(d *Device, c claim) {
	for i := range d.claims {
		x := &d.claims[i]
		if x.source == c.source && x.rule == c.rule && x.model == c.model && x.vendor == c.vendor && x.fw == c.fw {
			x.at = max(x.at, c.at)
			return
		}
	}
	if len(d.claims) >= maxClaims {
		r.stats.ClaimsRefused++
		return
	}
	d.claims = append(d.claims, c)
	d.weigh(c.at)
}

// tally adds the points that one group has for one hypothesis: the strongest and three tenths of the others, at most five
// quarters of the strongest, for and against alike.
type tally struct{ best, sum, worst, minus float64 }

func (t *tally) add(points float64) {
	if points > 0 {
		t.best, t.sum = max(t.best, points), t.sum+points
	} else {
		t.worst, t.minus = min(t.worst, points), t.minus+points
	}
}

func (t *tally) score() float64 {
	plus := min(t.best+0.3*(t.sum-t.best), 1.25*t.best)
	return plus + max(t.worst+0.3*(t.minus-t.worst), 1.25*t.worst)
}

// lasting reports whether an observation holds as long as the device is heard, so that it does not age meanwhile.
func (s source) lasting() bool {
	return s == obsVendor || s == obsRandomMAC || s == obsRouter || s == obsServe
}

// weigh decides role, vendor, model and firmware anew.
func (d *Device) weigh(now int64) {
	for i := range d.claims {
		if c := &d.claims[i]; c.source.lasting() {
			c.at = max(c.at, d.LastSeen)
		}
	}
	role, level, p := d.weighRole(now)
	vendor := d.weighVendor(now)
	model, fw := d.weighModel(vendor, now)
	if role != d.Role || level != d.Level || vendor != d.Vendor || model != d.Model || fw != d.Firmware {
		d.Version++
	}
	d.Role, d.Level, d.Probability, d.Vendor, d.Model, d.Firmware = role, level, p, vendor, model, fw
	d.list(now)
}

// totals gives prior plus groups for each role.
func (d *Device) totals(now int64) [numRoles]float64 {
	var t [numRoles][numGroups]tally
	for i := range d.claims {
		c := &d.claims[i]
		g, f := sources[c.source].group, c.decay(now)
		for _, v := range c.rule.roles {
			t[v.role][g].add(v.points * f)
		}
	}
	var total [numRoles]float64
	for role := Unknown + 1; role < numRoles; role++ {
		g := &t[role]
		cheap := g[GroupLink].score() + g[GroupAnnouncement].score()
		proven := g[GroupBanner].score() + g[GroupClient].score() + g[GroupBehaviour].score()
		if proven <= 0 {
			cheap = min(cheap, cheapCap)
		}
		total[role] = prior[role] + cheap + proven + g[GroupOperator].score()
	}
	return total
}

func (d *Device) weighRole(now int64) (Role, Level, float64) {
	total := d.totals(now)
	best, second, mass := Unknown, 0.0, 0.0
	for role, db := range total {
		mass += math.Pow(10, db/10)
		switch {
		case role == int(Unknown):
		case db > total[best]:
			best, second = Role(role), max(total[best], second)
		default:
			second = max(second, db)
		}
	}
	if best == Unknown {
		return Unknown, LevelUnknown, 0
	}
	p := math.Pow(10, total[best]/10) / mass
	l := levelOf(p, total[best]-second)
	if l == LevelUnknown {
		return Unknown, LevelUnknown, 0
	}
	return best, l, p
}

// levelOf gives the level of a probability that is so many decibans ahead of the next hypothesis.
func levelOf(p, ahead float64) Level {
	switch {
	case p >= 0.99 && ahead >= 20:
		return Identified
	case p >= 0.90 && ahead >= 10:
		return Probable
	case p >= 0.60:
		return Hint
	}
	return LevelUnknown
}

// weighVendor gives the vendor with the most points; on a tie the one that was heard of first.
func (d *Device) weighVendor(now int64) string {
	type hypothesis struct {
		name   string
		groups [numGroups]tally
	}
	var all []hypothesis
	for i := range d.claims {
		c := &d.claims[i]
		name := c.vendorName()
		if name == "" || c.vdb == 0 {
			continue
		}
		at := slices.IndexFunc(all, func(h hypothesis) bool { return h.name == name })
		if at < 0 {
			at = len(all)
			all = append(all, hypothesis{name: name})
		}
		all[at].groups[sources[c.source].group].add(c.vdb * c.decay(now))
	}
	best, most := "", 0.0
	for i := range all {
		sum := 0.0
		for g := range all[i].groups {
			sum += all[i].groups[g].score()
		}
		if sum > most {
			best, most = all[i].name, sum
		}
	}
	return best
}

// weighModel gives the best model that is not of another vendor, and the best firmware.
func (d *Device) weighModel(vendor string, now int64) (model, firmware string) {
	most, mostFW := 0.0, 0.0
	for i := range d.claims {
		c := &d.claims[i]
		if v := c.vendorName(); v != "" && v != vendor {
			continue
		}
		db := c.rule.mdb * c.decay(now)
		if c.model != "" && db > most {
			model, most = c.model, db
		}
		if c.fw != "" && db > mostFW {
			firmware, mostFW = c.fw, db
		}
	}
	return model, firmware
}

// list makes the evidence readable, strongest first.
func (d *Device) list(now int64) {
	out := make([]Evidence, 0, len(d.claims))
	for i := range d.claims {
		c := &d.claims[i]
		says, points := c.says(now)
		s := sources[c.source]
		out = append(out, Evidence{Source: s.name, Value: c.value, Says: says, Points: points, Group: s.group})
	}
	slices.SortStableFunc(out, func(a, b Evidence) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Points), math.Abs(a.Points)), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Value, b.Value))
	})
	d.Evidence = out[:min(len(out), MaxEvidence)]
}

// says puts a claim into words, with the points of its strongest part.
func (c *claim) says(now int64) (string, float64) {
	f := c.decay(now)
	var parts []string
	points := 0.0
	for _, v := range c.rule.roles {
		parts = append(parts, fmt.Sprintf("role=%s %+.0f", v.role, v.points*f))
		if math.Abs(v.points*f) > math.Abs(points) {
			points = v.points * f
		}
	}
	if name := c.vendorName(); name != "" && c.vdb != 0 {
		parts = append(parts, fmt.Sprintf("vendor=%s %+.0f", name, c.vdb*f))
		if c.vdb*f > math.Abs(points) {
			points = c.vdb * f
		}
	}
	if c.model != "" {
		parts = append(parts, fmt.Sprintf("model=%s %+.0f", c.model, c.rule.mdb*f))
		if c.rule.mdb*f > math.Abs(points) {
			points = c.rule.mdb * f
		}
	}
	return strings.Join(parts, ", "), math.Round(points*10) / 10
}
