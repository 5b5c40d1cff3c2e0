// SPDX-License-Identifier: Apache-2.0

package alert

import "stillwatch/sensor/internal/snapshot"

// changes tracks how the open alerts, or the incidents, differ from their copy on disk: those that have changed since they were saved,
// and saved ones that no longer exist. Its cost depends only on these. nil tracks nothing.
type changes[T marked] struct {
	list []T
	gone []string // ids
	turn uint64   // counts uses
}

// mark is the saving state of one alert or incident.
type mark struct {
	place        int    // 1 + index among the changed ones; 0 if unchanged
	kept         bool   // there is a copy on disk
	turn         uint64 // its last use
	pendingSince uint64 // the turn in which its revision was postponed
}

type marked interface {
	saving() (m *mark, id string, gone bool)
}

func (o *open) saving() (*mark, string, bool)      { return &o.mark, o.id, o.gone }
func (in *incident) saving() (*mark, string, bool) { return &in.mark, in.id, in.gone }

// add records that x has changed.
func (s *changes[T]) add(x T) {
	if s == nil {
		return
	}
	if m, _, gone := x.saving(); !gone && m.place == 0 {
		s.list = append(s.list, x)
		m.place = len(s.list)
	}
}

// remove records that x is as on disk.
func (s *changes[T]) remove(x T) {
	m, _, _ := x.saving()
	if m.place == 0 {
		return
	}
	end := len(s.list) - 1
	last, _, _ := s.list[end].saving()
	s.list[m.place-1], last.place = s.list[end], m.place
	clear(s.list[end:])
	s.list, m.place = s.list[:end], 0
}

// used records that x has moved to the end of its order.
func (s *changes[T]) used(x T) {
	if s != nil {
		s.turn++
		m, _, _ := x.saving()
		m.turn = s.turn
		s.add(x)
	}
}

// removed records that x no longer exists.
func (s *changes[T]) removed(x T) {
	if s == nil {
		return
	}
	s.remove(x)
	if m, id, _ := x.saving(); m.kept {
		s.gone = append(s.gone, id)
		m.kept = false
	}
}

// drain writes at most limit changes to a part of a snapshot, and returns their number.
func (s *changes[T]) drain(b *snapshot.Batch, limit int, part string, save func(T)) (n int) {
	for ; n < limit && len(s.gone) > 0; n++ {
		last := len(s.gone) - 1
		b.Delete(part).String(&s.gone[last])
		b.End()
		s.gone = s.gone[:last]
	}
	for ; n < limit && len(s.list) > 0; n++ {
		x := s.list[0]
		save(x)
		s.remove(x)
	}
	return n
}
