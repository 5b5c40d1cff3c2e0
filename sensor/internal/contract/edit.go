// SPDX-License-Identifier: Apache-2.0

package contract

import "fmt"

// Find returns the contract of a device by its key.
func (l *Learner) Find(key string) (*Learned, error) {
	if c := l.devices[key]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("no contract of device %q: 'contract show' lists the keys", key)
}

// usable returns the contract of a device if it can have entries.
func (l *Learner) usable(key string) (*Learned, error) {
	c, err := l.Find(key)
	if err == nil && c.State == TooVaried {
		err = fmt.Errorf("%s is too_varied and has no entries: 'contract relearn' starts it again", key)
	}
	return c, err
}

// Arm arms the contract of a device on behalf of an analyst, or freezes it. Candidates are dropped.
func (l *Learner) Arm(key string, freeze bool, now int64) error {
	c, err := l.usable(key)
	if err != nil {
		return err
	}
	l.drop(c, func(e *LearnedEntry) bool { return !e.Learned })
	to := Armed
	if freeze {
		to = Frozen
	}
	if c.State != to {
		c.enter(to, now)
	}
	c.ByAnalyst = true
	l.touch(c)
	return nil
}

// Forget starts the contract of a device again.
func (l *Learner) Forget(key string, now int64) error {
	c, err := l.Find(key)
	if err != nil {
		return err
	}
	l.drop(c, func(*LearnedEntry) bool { return true })
	c.reset(now)
	l.touch(c)
	return nil
}

// Approve adds an entry that an analyst approved to the contract of a device, by its key.
func (l *Learner) Approve(key string, k Key, now int64) (*LearnedEntry, error) {
	c, err := l.usable(key)
	if err != nil {
		return nil, err
	}
	e := c.entries[k]
	switch {
	case e != nil:
	case len(c.entries) >= EntriesLimit || l.total >= l.cfg.MaxTotal:
		return nil, fmt.Errorf("the contract of %s has %d entries, of all devices %d: there is no room for another", key, len(c.entries), l.total)
	default:
		e = &LearnedEntry{Key: k}
		l.add(c, e)
	}
	e.From, e.Learned, e.Stale, e.changed = ProvApproved, true, false, true
	l.touch(c)
	return e, nil
}

// Delete removes an entry of a contract, or a candidate. What was learned can be learned again only if the contract is.
func (l *Learner) Delete(key string, k Key) error {
	c, err := l.usable(key)
	if err != nil {
		return err
	}
	if c.entries[k] == nil {
		return fmt.Errorf("the contract of %s has no entry %q: 'contract show' lists the entries", key, k)
	}
	l.drop(c, func(e *LearnedEntry) bool { return e.Key == k })
	l.touch(c)
	return nil
}

// Refuse counts a session that an entry refuses without reporting it.
func (l *Learner) Refuse(c *Learned, e *LearnedEntry) {
	e.Refused++
	e.changed = true
	l.touch(c)
}
