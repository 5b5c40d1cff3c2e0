// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"fmt"
	"slices"
	"time"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/session"
)

// Tick advances the contracts to the capture clock. It acts once a day (UTC): learning and reviews end then, and entries become stale.
func (l *Learner) Tick(now int64) {
	day := uint32(now / dayNs)
	if l == nil || day <= l.day {
		return
	}
	l.day = day
	for _, c := range l.devices { // each by itself: the order does not matter
		l.daily(c, now)
		l.touch(c)
	}
	l.group()
}

func (l *Learner) daily(c *Learned, now int64) {
	for _, e := range c.entries {
		e.settle(uint32(now / hourNs))
	}
	switch c.State {
	case Learning:
		if now-max(c.LastUse, c.Began) > idleDays*dayNs && now > c.Suspect && !c.declared {
			l.forget(c)
			return
		}
		l.learn(c, now)
	case Review:
		l.outdate(c, now)
		if l.cfg.ReviewDays > 0 && now-c.Since >= int64(l.cfg.ReviewDays)*dayNs {
			c.enter(Armed, now)
		}
		c.age(now)
	case Armed:
		l.outdate(c, now)
		c.age(now)
	}
}

// outdate drops what was proposed and not used again for long.
func (l *Learner) outdate(c *Learned, now int64) {
	l.drop(c, func(e *LearnedEntry) bool { return c.Proposed(e) && now-max(e.Last, c.Since) > staleDays*dayNs })
}

// age makes entries stale that were not used for long. What an analyst has approved stays.
func (c *Learned) age(now int64) {
	for _, e := range c.entries {
		if e.From == ProvLearned && e.Learned && !e.Stale && now-max(e.Last, c.Began) > staleDays*dayNs {
			e.Stale, e.changed = true, true
		}
	}
}

// learn decides which candidates count, and ends learning if it has seen enough.
func (l *Learner) learn(c *Learned, now int64) {
	work, weekend := l.daysSince(c.Began)
	for _, e := range c.entries {
		if ok := e.From != ProvLearned || e.enough(work+weekend); ok != e.Learned {
			e.Learned, e.changed = ok, true
		}
	}
	days := int((now - c.Began) / dayNs)
	unseen := c.Estimate()
	switch {
	case days < l.cfg.MinDays:
		return
	case days >= l.cfg.MaxDays && unseen > maxUnseen:
		c.Unmet = fmt.Sprintf("learning ended after %d days, and %.1f %% of the sessions were of a kind seen once", days, 100*unseen)
	case days >= l.cfg.MaxDays:
	case work < 2 || weekend < 2:
		return
	case unseen > maxUnseen && now-c.NewAt < quietDays*dayNs:
		return
	}
	c.Unseen = unseen
	l.drop(c, func(e *LearnedEntry) bool { return !e.Learned })
	c.enter(Review, now)
}

// daysSince returns on how many working and weekend days (UTC) sessions were seen since a time.
func (l *Learner) daysSince(began int64) (work, weekend int) {
	i, _ := slices.BinarySearch(l.watched, uint32(began/dayNs))
	for _, d := range l.watched[i:] {
		switch time.Unix(int64(d)*dayNs/1e9, 0).UTC().Weekday() {
		case time.Saturday, time.Sunday:
			weekend++
		default:
			work++
		}
	}
	return work, weekend
}

// group collects the countries to which the contracts of each role lead.
func (l *Learner) group() {
	clear(l.roles)
	for _, c := range l.devices {
		if !c.Enforced() || c.Role == device.Unknown {
			continue
		}
		m := l.roles[c.Role]
		if m == nil {
			m = map[string]int{}
			l.roles[c.Role] = m
		}
		seen := map[string]bool{}
		for _, e := range c.entries {
			if to := e.country(); to != "" && !seen[to] {
				seen[to] = true
				m[to]++
			}
		}
	}
}

// country returns the country to which the entry leads, by the last address; "" if there is none.
func (e *LearnedEntry) country() string {
	if !e.Learned || e.Dir != session.Out || e.Addr.Netip().IsUnspecified() {
		return ""
	}
	country, _ := enrich.Country(e.Addr.Netip())
	return country
}

// Leads reports whether an entry of the contract leads to a country.
func (c *Learned) Leads(to string) bool {
	for _, e := range c.entries {
		if e.country() == to {
			return true
		}
	}
	return false
}

// Peers returns how many contracts of a role lead to a country, as of the last midnight.
func (l *Learner) Peers(r device.Role, to string) int { return l.roles[r][to] }
