// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"fmt"
	"hash/maphash"
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

// statement is an observation and what the table says of it. Devices of which the same was observed share one.
type statement struct {
	source source
	rule   *rule // never nil
	value  string
	vendor string // instead of the row's, where the observation names it
	model  string
	fw     string
	vdb    float64

	words  string  // of says, when it was asked last
	wordsF float64 // the decay at that time
}

// claim is a statement about a device, made at the given time.
type claim struct {
	*statement
	at int64
}

// same reports whether two statements say the same, whatever their texts.
func (s *statement) same(x *statement) bool {
	return s == x || s.source == x.source && s.rule == x.rule && s.model == x.model && s.vendor == x.vendor && s.fw == x.fw
}

func (s *statement) vendorName() string {
	if s.vendor != "" {
		return s.vendor
	}
	return s.rule.vendor
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
	if st := r.meaning(src, value); st != nil {
		r.claim(d, claim{st, now})
	}
}

// observed remembers what the table says of the texts that were observed last, as they came: most repeat themselves soon. Each text has one
// place, and the next one there takes it over.
type observed [observedPlaces]struct {
	src   source
	value string
	st    *statement // nil: nothing
}

const (
	observedPlaces = 1 << 10
	maxObserved    = 512 // bytes of a text: longer ones are not kept
)

// meaning gives what the table says of a text from the wire, nil if nothing.
func (r *Registry) meaning(src source, value string) *statement {
	if len(value) > maxObserved {
		return r.lookup(src, clean(value))
	}
	p := &r.observed[maphash.String(r.seed, value)%observedPlaces]
	if p.src != src || p.value != value {
		p.src, p.value, p.st = src, value, r.lookup(src, clean(value))
	}
	return p.st
}

// memoKey names a text of a source. What the table says of it is remembered: servers and clients repeat themselves, and regular
// expressions are slow.
type memoKey struct {
	src   source
	value string
}

// maxMemo bounds what is remembered; it is forgotten as a whole when it is reached, and found anew.
const maxMemo = 16 << 10

// lookup gives what the table says of a text, nil if nothing.
func (r *Registry) lookup(src source, value string) *statement {
	k := memoKey{src, value}
	// Most of these are not in the table, hardly repeat, and meet no regular expressions: they are remembered only if they are in it.
	passing := src == obsName || src == obsURI || src == obsRequest
	if !passing {
		if st, known := r.memo[k]; known {
			return st
		}
	}
	rule, model, fw := rules().match(src, value)
	if rule == nil && passing {
		return nil
	}
	if st := r.memo[k]; st != nil {
		return st
	}
	var st *statement
	if rule != nil {
		st = &statement{source: src, rule: rule, value: value, model: model, fw: fw, vdb: rule.vdb}
	}
	r.remember(k, st)
	return st
}

func (r *Registry) remember(k memoKey, st *statement) {
	if len(r.memo) >= maxMemo {
		clear(r.memo)
	}
	r.memo[k] = st
}

var (
	makerRule    = &rule{row: row{src: obsVendor}}
	announceRule = &rule{row: row{src: obsTXT}}
)

// announcedDB is what a device's own word for its maker weighs (decibans for the vendor).
const announcedDB = 12

// observeMaker weighs the maker behind a MAC. A chip maker is no vendor evidence.
func (r *Registry) observeMaker(d *Device, m enrich.Maker, now int64) {
	if m.Kind == enrich.VendorChip {
		return
	}
	k := memoKey{obsVendor, m.Owner}
	st := r.memo[k]
	if st == nil {
		st = makerStatement(m)
		r.remember(k, st)
	}
	d.claims = slices.DeleteFunc(d.claims, func(x claim) bool { return x.source == obsVendor })
	r.claim(d, claim{st, now})
}

func makerStatement(m enrich.Maker) *statement {
	st := &statement{source: obsVendor, rule: makerRule, value: clean(m.Owner), vendor: m.Name, vdb: unknownDB}
	switch m.Kind {
	case enrich.VendorBrand:
		st.vdb = brandDB
		if x, model, _ := rules().match(obsVendor, m.Name); x != nil {
			st.rule, st.model = x, model
		}
	case enrich.VendorODM:
		st.vdb = odmDB
	}
	return st
}

func (r *Registry) claim(d *Device, c claim) {
	r.changed(d)
	r.settle(d)
	for i := range d.claims {
		if x := &d.claims[i]; x.same(c.statement) {
			x.at = max(x.at, c.at)
			return
		}
	}
	if len(d.claims) >= maxClaims {
		r.stats.ClaimsRefused++
		return
	}
	d.claims = append(d.claims, c)
	r.weigh(d, c.at)
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

// settle weighs a device anew if a day has begun since it was weighed. Old evidence fades by the day, and weighing all devices when
// the day begins would hold up everything else: each is weighed when it is next asked for.
func (r *Registry) settle(d *Device) {
	if d != nil && d.round != r.round && d.node.queued {
		r.changed(d)
		r.weigh(d, r.dayBegan)
	}
}

// weigh decides role, vendor, model and firmware anew.
func (r *Registry) weigh(d *Device, now int64) {
	d.round = r.round
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
	r.list(d, now)
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
func (r *Registry) list(d *Device, now int64) {
	out := r.listed[:0]
	for i := range d.claims {
		c := &d.claims[i]
		says, points := c.says(now)
		s := &sources[c.source]
		out = append(out, Evidence{Source: s.name, Value: c.value, Says: says, Points: points, Group: s.group})
	}
	slices.SortStableFunc(out, func(a, b Evidence) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Points), math.Abs(a.Points)), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Value, b.Value))
	})
	if top := out[:min(len(out), MaxEvidence)]; !slices.Equal(top, d.Evidence) {
		d.Evidence = r.share(top)
	}
	clear(out)
	r.listed = out
}

// share gives the list that is equal to list and that other devices have as well: of one model there are many devices, and the
// evidence of most is the same.
func (r *Registry) share(list []Evidence) []Evidence {
	var h maphash.Hash
	h.SetSeed(r.seed)
	for i := range list {
		maphash.WriteComparable(&h, list[i])
	}
	k := h.Sum64()
	if x, ok := r.lists[k]; ok && slices.Equal(x, list) {
		return x
	}
	if len(r.lists) >= maxLists {
		clear(r.lists)
	}
	r.lists[k] = slices.Clone(list)
	return r.lists[k]
}

// maxLists bounds the lists of evidence that are kept for sharing.
const maxLists = 4 << 10

// says puts a claim into words, with the points of its strongest part.
func (c *claim) says(now int64) (string, float64) {
	f, points := c.decay(now), 0.0
	known := c.words != ""
	part := func(db float64) {
		if math.Abs(db*f) > math.Abs(points) {
			points = db * f
		}
		known = known && math.RoundToEven(db*f) == math.RoundToEven(db*c.wordsF)
	}
	for _, v := range c.rule.roles {
		part(v.points)
	}
	if c.vendorName() != "" && c.vdb != 0 {
		part(c.vdb)
	}
	if c.model != "" {
		part(c.rule.mdb)
	}
	if !known {
		c.words, c.wordsF = c.wording(f), f
	}
	return c.words, math.Round(points*10) / 10
}

// wording tells what a statement that has faded by f speaks for, in whole decibans.
func (s *statement) wording(f float64) string {
	var parts []string
	for _, v := range s.rule.roles {
		parts = append(parts, fmt.Sprintf("role=%s %+.0f", v.role, v.points*f))
	}
	if name := s.vendorName(); name != "" && s.vdb != 0 {
		parts = append(parts, fmt.Sprintf("vendor=%s %+.0f", name, s.vdb*f))
	}
	if s.model != "" {
		parts = append(parts, fmt.Sprintf("model=%s %+.0f", s.model, s.rule.mdb*f))
	}
	return strings.Join(parts, ", ")
}
