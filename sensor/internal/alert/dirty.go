// SPDX-License-Identifier: Apache-2.0

package alert

// saved is what a manager knows of its copy on disk: which open alerts and incidents have changed since they were saved, and which
// that are there have gone.
type saved struct {
	alerts        changed[*open]
	incidents     changed[*incident]
	gone, goneInc []string // ids
	turn          uint64   // counts the times that one of them was used
}

// mark is what the copy on disk knows of one of them.
type mark struct {
	place int    // 1 + its place among those that have changed; 0: it has not
	kept  bool   // there is a copy
	turn  uint64 // when it was used last
	waits uint64 // the turn since which it waits
}

type marked interface{ saving() *mark }

func (o *open) saving() *mark      { return &o.mark }
func (in *incident) saving() *mark { return &in.mark }

// changed is a set that costs no more than its members.
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

// alert notes that an open alert is to be saved again.
func (s *saved) alert(o *open) {
	if s != nil && !o.gone {
		s.alerts.add(o)
	}
}

// used notes that an open alert has moved to the end of the order.
func (s *saved) used(o *open) {
	if s != nil {
		s.turn++
		o.mark.turn = s.turn
		s.alert(o)
	}
}

// forgot notes that an alert is over.
func (s *saved) forgot(o *open) {
	if s == nil {
		return
	}
	s.alerts.remove(o)
	if o.mark.kept {
		s.gone = append(s.gone, o.id)
		o.mark.kept = false
	}
}

func (s *saved) incident(in *incident) {
	if s != nil && !in.gone {
		s.incidents.add(in)
	}
}

// usedIncident notes that an incident has moved to the end of its order.
func (s *saved) usedIncident(in *incident) {
	if s != nil {
		s.turn++
		in.mark.turn = s.turn
		s.incident(in)
	}
}

func (s *saved) forgotIncident(in *incident) {
	if s == nil {
		return
	}
	s.incidents.remove(in)
	if in.mark.kept {
		s.goneInc = append(s.goneInc, in.id)
		in.mark.kept = false
	}
}
