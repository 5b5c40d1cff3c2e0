// SPDX-License-Identifier: Apache-2.0

package session

import (
	"unsafe"

	"stillwatch/sensor/internal/cacheline"
)

// wheelSlots is how many seconds the timer wheel covers: more than the longest timeout.
const wheelSlots = 4096

// wheel is a timer wheel: for each coming second a singly linked list of sessions that may expire then. A session with newer packets is
// moved when its slot is due, so that a packet never touches the wheel.
type wheel struct {
	heads [wheelSlots]ref
	now   int64 // seconds; slots up to and including it are empty
	first int64 // no slot before this second holds anything
	count int
}

func (t *Table) schedule(r ref, due int64) {
	w := &t.wheel
	due = min(max(due, w.now+1), w.now+wheelSlots-1)
	h := &w.heads[due%wheelSlots]
	t.at(r).next, *h = *h, r
	w.first = min(w.first, due)
	w.count++
}

// take returns the list of a second and clears the slot.
func (w *wheel) take(sec int64) ref {
	h := &w.heads[sec%wheelSlots]
	r := *h
	*h = 0
	return r
}

// Advance moves the clock of the table to the second now and ends the sessions that are due, each at its own second.
func (t *Table) Advance(now int64) {
	w := &t.wheel
	if len(t.grown) > 0 && now > w.now {
		t.progress((w.now + 1) * 1e9)
	}
	if t.follow.next <= now {
		t.advanceFollowed(now)
	}
	if w.count == 0 && now > w.now {
		w.now, w.first = now, now+1
		return
	}
	for w.now < now {
		if w.count == 0 {
			w.now = now
			break
		}
		sec := max(w.now+1, min(w.first, now))
		w.now = sec
		for r := w.take(sec); r != 0; {
			s := t.at(r)
			next := s.next
			t.prefetchEnd(next, sec)
			w.count--
			switch due := s.deadline(&t.cfg); {
			case s.flags&flagDead != 0:
				t.release(r)
			case due > sec:
				t.schedule(r, due)
			default:
				t.end(s, EndExpired, sec*1e9)
				t.release(r)
			}
			r = next
		}
		w.first = max(w.first, sec+1)
	}
	w.first = max(w.first, w.now+1)
}

// prefetchEnd prefetches what the end of session r needs at the second sec, and the session after it in the list.
func (t *Table) prefetchEnd(r ref, sec int64) {
	if r == 0 {
		return
	}
	s := t.at(r)
	cacheline.Prefetch(unsafe.Pointer(t.at(s.next)), sessionLines)
	if s.deadline(&t.cfg) <= sec && s.flags&flagDead == 0 {
		h := s.key.hash(&t.seed)
		cacheline.Prefetch(unsafe.Pointer(&t.slots[int(h>>32)&(len(t.slots)-1)]), 1)
		t.past.prefetch(h)
	}
}

// evict ends the session that would expire first. Under a flood that is one of the flood, because nobody answered it.
func (t *Table) evict(now int64) {
	w := &t.wheel
	for w.count > 0 {
		h := &w.heads[w.first%wheelSlots]
		if *h == 0 {
			w.first++
			continue
		}
		r := *h
		s := t.at(r)
		*h = s.next
		w.count--
		if due := s.deadline(&t.cfg); s.flags&flagDead == 0 {
			if due > w.first {
				t.schedule(r, due)
				continue
			}
			t.Stats.Evicted++
			t.end(s, EndEvicted, now)
		}
		t.release(r)
		return
	}
}
