// SPDX-License-Identifier: Apache-2.0

// Package policy keeps the policies of analysts: it checks their signatures, versions and scope, and decides which are active. Contracts and
// alerts ask it. Its only clock is the capture clock, and nothing changes between two ticks.
package policy

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
)

// DefaultMax is the default number of policies that a sensor keeps, with those that are retired.
const DefaultMax = 10_000

// Config configures a Set.
type Config struct {
	Sensor, Site string
	Keys         []config.PolicyKey
	Max          int // policies; default DefaultMax
}

// Offer is a policy that nobody has checked.
type Offer struct {
	Raw      []byte // JWS, or the record itself
	Unsigned bool   // a record without a signature is accepted, and never saved
}

// Result is what became of an offer, or of a policy.
type Result uint8

// The results.
const (
	Taken   Result = iota // it is active, or it has taken back another
	Refused               // see Outcome.Code
	Ignored               // it is for other sensors
	Ended                 // it has expired
	Dropped               // its key is no longer trusted
)

// Outcome reports a result. Offers that are known already have none.
type Outcome struct {
	Result
	detect.PolicyRefusal // with Result Refused the code and reason; otherwise the policy
	Kind                 string
}

// Counts are the counters of a Set.
type Counts struct{ Taken, Refused, Ignored, Active uint64 }

// kept is a policy that was taken.
type kept struct {
	*Policy
	raw   []byte
	sum   [sha256.Size]byte // of the record
	local bool              // unsigned: it is not saved
	begun bool              // arm, freeze and forget: it has acted
	over  bool              // it has expired
}

// Set is the policies of a sensor. It is not safe for concurrent use. A nil Set has none.
type Set struct {
	cfg     Config
	all     map[string]*kept // by id, also those that are retired or have expired
	offers  []Offer          // for the next tick
	pending []Outcome        // of a restored or reconfigured set, for the next tick
	changed bool             // since the last tick
	hash    string
	counts  Counts
	day     int64 // of the last call of Act
	nextEnd int64 // when the first policy expires

	suppress map[string][]*kept // by rule; "" are those without rules
	dirty    map[string]bool    // ids to be saved or deleted
}

// New returns a set without policies.
func New(cfg Config) *Set {
	if cfg.Max <= 0 {
		cfg.Max = DefaultMax
	}
	return &Set{cfg: cfg, all: map[string]*kept{}, suppress: map[string][]*kept{}, nextEnd: math.MaxInt64}
}

// Offer queues a policy for the next tick.
func (s *Set) Offer(o Offer) { s.offers = append(s.offers, o) }

// Hash returns the hash of the active policies, "" if there are none.
func (s *Set) Hash() string { return s.hash }

// Counts returns the counters.
func (s *Set) Counts() Counts { return s.counts }

// Active returns the active policies, sorted by id.
func (s *Set) Active() (out []*Policy) {
	for _, k := range s.active() {
		out = append(out, k.Policy)
	}
	return out
}

// Reconfigure applies another set of keys, and drops the policies that none of them may have signed.
func (s *Set) Reconfigure(keys []config.PolicyKey) {
	s.cfg.Keys = keys
	for _, id := range s.ids() {
		k := s.all[id]
		if k.local {
			continue
		}
		if _, r := s.check(Offer{Raw: k.raw}); r != nil {
			s.drop(id, r.Why)
		}
	}
}

func (s *Set) drop(id, why string) {
	delete(s.all, id)
	s.mark(id)
	s.changed = true
	s.pending = append(s.pending, Outcome{Result: Dropped, PolicyRefusal: detect.PolicyRefusal{ID: id, Why: why}})
}

// Tick decides about the queued offers and ends what has expired. It reports whether the active policies have changed.
func (s *Set) Tick(now int64) (out []Outcome, changed bool) {
	out, s.pending = s.pending, nil
	offers := s.offers
	s.offers = nil
	for _, o := range offers {
		out = append(out, s.take(o, now)...)
	}
	if now >= s.nextEnd {
		out = append(out, s.end(now)...)
	}
	if changed = s.changed; changed {
		s.changed = false
		s.refresh()
	}
	return out, changed
}

// end ends the policies that have expired.
func (s *Set) end(now int64) (out []Outcome) {
	for _, id := range s.ids() {
		k := s.all[id]
		if k.over || !k.expired(now) {
			continue
		}
		k.over, s.changed = true, true
		s.mark(id)
		if k.Kind != schemas.PolicyRetire {
			out = append(out, Outcome{Result: Ended, Kind: k.Kind, PolicyRefusal: detect.PolicyRefusal{ID: id, Version: k.Version}})
		}
	}
	return out
}

// take decides about one offer.
func (s *Set) take(o Offer, now int64) []Outcome {
	k, r := s.check(o)
	if r == nil && k != nil {
		r = s.place(k, now)
	}
	switch {
	case r == nil && k == nil:
		s.counts.Ignored++
		return []Outcome{{Result: Ignored}}
	case r == known:
		return nil
	case r != nil:
		s.counts.Refused++
		out := Outcome{Result: Refused, PolicyRefusal: *r}
		if k != nil {
			out.Kind = k.Kind
		}
		return []Outcome{out}
	}
	s.counts.Taken++
	return []Outcome{{Result: Taken, Kind: k.Kind, PolicyRefusal: detect.PolicyRefusal{ID: k.ID, Version: k.Version, Signer: k.Author}}}
}

// known is the refusal of a policy that the set has already. It is not reported.
var known = &detect.PolicyRefusal{}

// check checks the signature of an offer, the record, and whether its key may sign it. It returns neither a policy nor a refusal if the policy is for
// other sensors.
func (s *Set) check(o Offer) (*kept, *detect.PolicyRefusal) {
	raw := bytes.TrimSpace(o.Raw)
	refuse := func(code, format string, args ...any) *detect.PolicyRefusal {
		sum := sha256.Sum256(raw)
		return &detect.PolicyRefusal{ID: "record-" + hex.EncodeToString(sum[:4]), Code: code, Why: fmt.Sprintf(format, args...)}
	}
	record, key := raw, (*config.PolicyKey)(nil)
	switch unsigned := len(raw) > 0 && raw[0] == '{'; {
	case len(raw) > 2*MaxRecord:
		return nil, refuse(detect.PolicyInvalid, "it has more than %d bytes", 2*MaxRecord)
	case unsigned && !o.Unsigned:
		return nil, refuse(detect.PolicyUnsigned, "it is not signed")
	case !unsigned:
		j, err := parseJWS(string(raw))
		if err != nil {
			return nil, refuse(detect.PolicyInvalid, "%s", detect.Clean(err.Error(), 200))
		}
		if key = s.key(j.keyID); key == nil {
			if p, err := Parse(j.unverified()); err == nil && !p.inScope(s.cfg.Sensor, s.cfg.Site) {
				return nil, nil
			}
			return nil, refuse(detect.PolicyUntrusted, "its key %s is not trusted", detect.Clean(cmp.Or(j.keyID, "(none)"), 12))
		}
		if record, err = j.verify(key.Public); err != nil {
			return nil, refuse(detect.PolicySignature, "the signature is not that of the key %s", key.Name)
		}
	}
	p, err := Parse(record)
	switch {
	case err != nil:
		return nil, refuse(detect.PolicyInvalid, "%s", err)
	case !p.inScope(s.cfg.Sensor, s.cfg.Site):
		return nil, nil
	}
	k := &kept{Policy: p, raw: raw, sum: sha256.Sum256(record), local: key == nil}
	if key != nil {
		if why := s.forbids(key, p); why != "" {
			return k, p.refuse(detect.PolicyAuthority, "the key %s may not sign policies %s", key.Name, why)
		}
	}
	return k, nil
}

func (s *Set) key(id string) *config.PolicyKey {
	for i := range s.cfg.Keys {
		if k := &s.cfg.Keys[i]; KeyID(k.Public) == id {
			return k
		}
	}
	return nil
}

// forbids returns what a key may not sign of a policy, "" if it may. It may only replace what it may sign, and retire it if it may retire.
func (s *Set) forbids(key *config.PolicyKey, p *Policy) string {
	may := func(list []string, what string) bool { return list == nil || slices.Contains(list, what) }
	old := s.all[p.ID]
	switch {
	case !may(key.Kinds, p.Kind):
		return "of the kind " + p.Kind
	case !may(key.Sites, p.site()):
		return "for " + siteText(p.site())
	case old == nil || old.Version >= p.Version:
	case p.Kind != schemas.PolicyRetire && !may(key.Kinds, old.Kind):
		return "that replace one of the kind " + old.Kind
	case !may(key.Sites, old.site()):
		return "that replace one for " + siteText(old.site())
	}
	return ""
}

func siteText(site string) string {
	if site == "" {
		return "all sites"
	}
	return "the site " + site
}

func (p *Policy) refuse(code, format string, args ...any) *detect.PolicyRefusal {
	return &detect.PolicyRefusal{ID: p.ID, Version: p.Version, Code: code, Why: fmt.Sprintf(format, args...), Signer: p.Author}
}

// place takes a policy whose signature holds, or returns why not.
func (s *Set) place(k *kept, now int64) *detect.PolicyRefusal {
	old := s.all[k.ID]
	switch {
	case old != nil && old.Version == k.Version && old.sum == k.sum:
		return known
	case old != nil && old.Version >= k.Version:
		return k.refuse(detect.PolicyStale, "the sensor has version %d", old.Version)
	case k.expired(now):
		return k.refuse(detect.PolicyExpired, "it has expired at %s", k.Expires)
	case old == nil && len(s.all) >= s.cfg.Max && !s.evict():
		return k.refuse(detect.PolicyFull, "the sensor has %d policies already", len(s.all))
	}
	s.all[k.ID] = k
	s.mark(k.ID)
	s.changed = true
	return nil
}

// evict removes a policy that has expired, the one that expired first. Retired ones stay, or an old version could be taken again.
func (s *Set) evict() bool {
	var first *kept
	for _, k := range s.all {
		if k.over && (first == nil || cmp.Or(cmp.Compare(*k.Expires, *first.Expires), strings.Compare(k.ID, first.ID)) < 0) {
			first = k
		}
	}
	if first == nil {
		return false
	}
	delete(s.all, first.ID)
	s.mark(first.ID)
	return true
}

func (s *Set) ids() []string {
	ids := make([]string, 0, len(s.all))
	for id := range s.all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (s *Set) active() (out []*kept) {
	for _, id := range s.ids() {
		if k := s.all[id]; !k.over && k.Kind != schemas.PolicyRetire {
			out = append(out, k)
		}
	}
	return out
}

// refresh rebuilds what depends on the active policies.
func (s *Set) refresh() {
	s.suppress, s.hash, s.nextEnd = map[string][]*kept{}, "", math.MaxInt64
	for _, k := range s.all {
		if !k.over && k.Expires != nil {
			s.nextEnd = min(s.nextEnd, int64(*k.Expires))
		}
	}
	list := s.active()
	s.counts.Active = uint64(len(list))
	if len(list) == 0 {
		return
	}
	h := sha256.New()
	for _, k := range list {
		fmt.Fprintf(h, "%s %d %x\n", k.ID, k.Version, k.sum)
		if k.Kind != schemas.PolicySuppress {
			continue
		}
		rules := k.Rules
		if len(rules) == 0 {
			rules = []string{""}
		}
		for _, r := range rules {
			s.suppress[r] = append(s.suppress[r], k)
		}
	}
	s.hash = hex.EncodeToString(h.Sum(nil)[:8])
}

// Contracts returns the active policies about contracts: expectations and entries.
func (s *Set) Contracts() (out []contract.Policy) {
	for _, k := range s.active() {
		x := contract.Policy{ID: k.ID, Created: int64(k.Created), Device: k.device}
		switch k.Kind {
		case schemas.PolicyExpect:
			x.Expect, _ = contract.ParseExpect(k.Expect)
		case schemas.PolicyAllow:
			x.Entry = &contract.PolicyEntry{PolicyMatch: k.match, Text: k.entry(), Rules: k.Rules}
		default:
			continue
		}
		out = append(out, x)
	}
	return out
}
