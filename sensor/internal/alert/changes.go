// SPDX-License-Identifier: Apache-2.0

package alert

// saved tracks how the state of a manager differs from its copy on disk: open alerts and incidents that have changed since they were
// saved, and saved ones that no longer exist.
type saved struct {
	alerts        changed[*open]
	incidents     changed[*incident]
	gone, goneInc []string // ids
	turn          uint64   // counts uses
}

// mark is the saving state of one alert or incident.
type mark struct {
	place        int    // 1 + index among the changed ones; 0 if unchanged
	kept         bool   // there is a copy on disk
	turn         uint64 // its last use
	pendingSince uint64 // the turn in which its revision was postponed
}

type marked interface{ saving() *mark }

func (o *open) saving() *mark      { return &o.mark }
func (in *incident) saving() *mark { return &in.mark }

// changed is a set whose cost depends only on its members.
type changed[T marked] struct{ list []T }

func (s *changed[T]) add(x T) {
	if m := x.saving(); m.place == 0 {
		s.list = append(s.list, x)
		m.place = len(s.list)
	}
}

func (s *changed[T]) remove(x T) {
	m := x.saving()
	if m.place == 0 {
		return
	}
	end := len(s.list) - 1
	last := s.list[end]
	s.list[m.place-1], last.saving().place = last, m.place
	clear(s.list[end:])
	s.list, m.place = s.list[:end], 0
}

// alert marks an open alert as changed.
func (s *saved) alert(o *open) {
	if s != nil && !o.gone {
		s.alerts.add(o)
	}
}

// used records that an open alert has moved to the end of the order.
func (s *saved) used(o *open) {
	if s != nil {
		s.turn++
		o.mark.turn = s.turn
		s.alert(o)
	}
}

// removed records that an alert no longer exists.
func (s *saved) removed(o *open) {
	if s == nil {
		return
	}
	s.alerts.remove(o)
	if o.mark.kept {
		s.gone = append(s.gone, o.id)
		o.mark.kept = false
	}
}

// incident marks an incident as changed.
func (s *saved) incident(in *incident) {
	if s != nil && !in.gone {
		s.incidents.add(in)
	}
}

// usedIncident records that an incident has moved to the end of its order.
func (s *saved) usedIncident(in *incident) {
	if s != nil {
		s.turn++
		in.mark.turn = s.turn
		s.incident(in)
	}
}

// removedIncident records that an incident no longer exists.
func (s *saved) removedIncident(in *incident) {
	if s == nil {
		return
	}
	s.incidents.remove(in)
	if in.mark.kept {
		s.goneInc = append(s.goneInc, in.id)
		in.mark.kept = false
	}
}
