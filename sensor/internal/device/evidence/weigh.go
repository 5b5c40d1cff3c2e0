// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"math"
	"slices"
	"strings"
)

// forgeableCap bounds what link layer and announcements together can say for a role until the device has answered or acted as such:
// anybody can forge an announcement or a MAC address.
const forgeableCap = 20

// prior is the base rate of each role in decibans. Unknown has 0 and its own mass, so that a device that fits no role gets none.
var prior = [numRoles]float64{Camera: -7, NVR: -13, VMS: -17, Server: -7, Workstation: -6, Phone: -7, Printer: -13,
	NetworkGear: -10, IoTHub: -12, IoT: -7}

// priorMass is the odds of each role without any evidence: most roles have none.
var priorMass = func() (m [numRoles]float64) {
	for role, db := range prior {
		m[role] = odds(db)
	}
	return m
}()

// odds returns decibans as a factor.
func odds(db float64) float64 { return math.Pow(10, db/10) }

// Verdict is what the evidence says of a device.
type Verdict struct {
	Role                    Role
	Level                   Level
	Probability             float64 // of Role; 0 when unknown
	Vendor, Model, Firmware string  // "" if not known
	FirmwareDate            string  // of the build of Firmware: "2019-12-15"; "" if not known
}

// Weigh returns what the claims say at the given time. Claims that last for as long as the device is heard are first renewed to lastSeen.
func (cs Claims) Weigh(lastSeen, now int64) (v Verdict) {
	for i := range cs {
		if c := &cs[i]; c.source.lasting() {
			c.At = max(c.At, lastSeen)
		}
	}
	v.Role, v.Level, v.Probability = cs.role(now)
	v.Vendor = cs.vendor(v.Role, now)
	v.Model, v.Firmware = cs.model(v.Role, v.Vendor, now)
	v.Firmware, v.FirmwareDate, _ = strings.Cut(v.Firmware, "|")
	return v
}

// score adds the points of one group for one hypothesis. The strongest counts in full and the others three tenths, at most five quarters of
// the strongest in total, because observations of one group are not independent. Points for and against are added up separately.
type score struct{ best, sum, worst, minus float64 }

func (s *score) add(points float64) {
	if points > 0 {
		s.best, s.sum = max(s.best, points), s.sum+points
	} else {
		s.worst, s.minus = min(s.worst, points), s.minus+points
	}
}

func (s *score) total() float64 {
	plus := min(s.best+0.3*(s.sum-s.best), 1.25*s.best)
	return plus + max(s.worst+0.3*(s.minus-s.worst), 1.25*s.worst)
}

// byRole adds up the evidence for each role by group.
func (cs Claims) byRole(now int64) (scores [numRoles][numGroups]score) {
	for i := range cs {
		c := &cs[i]
		g, f := sources[c.source].group, c.share(now)
		for _, v := range c.rule.roles {
			scores[v.role][g].add(v.points * f)
		}
	}
	return scores
}

// overCap returns by how much link layer and announcements exceed forgeableCap. It does not apply to a role in which the device has answered
// or acted.
func overCap(g *[numGroups]score) float64 {
	if g[GroupBanner].total()+g[GroupClient].total()+g[GroupBehavior].total() > 0 {
		return 0
	}
	return max(g[GroupLink].total()+g[GroupAnnouncement].total()-forgeableCap, 0)
}

// totals returns prior plus groups for each role.
func (cs Claims) totals(now int64) (total [numRoles]float64) {
	scores := cs.byRole(now)
	for role := Unknown + 1; role < numRoles; role++ {
		g := &scores[role]
		total[role] = prior[role] - overCap(g)
		for i := range g {
			total[role] += g[i].total()
		}
	}
	return total
}

// role returns the most likely role.
func (cs Claims) role(now int64) (Role, Level, float64) {
	total := cs.totals(now)
	best, second, mass := Unknown, 0.0, 0.0
	for role, db := range total {
		if db == prior[role] {
			mass += priorMass[role]
		} else {
			mass += odds(db)
		}
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
	p := odds(total[best]) / mass
	l := levelOf(p, total[best]-second)
	if l == LevelUnknown {
		return Unknown, LevelUnknown, 0
	}
	return best, l, p
}

// levelOf returns the level of a probability that is the given number of decibans ahead of the next hypothesis.
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

// ofApp reports whether a claim comes from a name that an app on a phone or a computer looked up, so that it is about another device.
func (c *Claim) ofApp(role Role) bool {
	return c.source == Name && (role == Phone || role == Workstation || role == Server) && !slices.ContainsFunc(c.rule.roles, func(v vote) bool { return v.role == role })
}

// vendorScore is the evidence for one vendor.
type vendorScore struct {
	name   string
	groups [numGroups]score
}

func (h *vendorScore) total() (sum float64) {
	for g := range h.groups {
		sum += h.groups[g].total()
	}
	return sum
}

// vendors appends the evidence for each vendor to all, in the order of discovery. role is that of the device.
func (cs Claims) vendors(all []vendorScore, role Role, now int64) []vendorScore {
	for i := range cs {
		c := &cs[i]
		name := c.vendorName()
		if name == "" || c.vendorPoints == 0 || c.ofApp(role) {
			continue
		}
		at := slices.IndexFunc(all, func(h vendorScore) bool { return h.name == name })
		if at < 0 {
			at = len(all)
			all = append(all, vendorScore{name: name})
		}
		all[at].groups[sources[c.source].group].add(c.vendorPoints * c.share(now))
	}
	return all
}

// vendor returns the vendor with the most points, on a tie the one that was observed first. role is that of the device.
func (cs Claims) vendor(role Role, now int64) string {
	var few [4]vendorScore // not on the heap
	best, most := "", 0.0
	all := cs.vendors(few[:0], role, now)
	for i := range all {
		if sum := all[i].total(); sum > most {
			best, most = all[i].name, sum
		}
	}
	return best
}

// model returns the best model that is not of another vendor, and the best firmware with its date as in a rule.
func (cs Claims) model(role Role, vendor string, now int64) (model, firmware string) {
	most, mostFirmware := 0.0, 0.0
	for i := range cs {
		c := &cs[i]
		if v := c.vendorName(); v != "" && v != vendor || c.ofApp(role) {
			continue
		}
		f := c.share(now)
		if points := c.rule.modelPoints * f; c.model != "" && points > most {
			model, most = c.model, points
		}
		if points := c.rule.firmwarePoints * f; c.firmware != "" && points > mostFirmware {
			firmware, mostFirmware = c.firmware, points
		}
	}
	return model, firmware
}
