// SPDX-License-Identifier: Apache-2.0

package session

import (
	"slices"

	"stillwatch/sensor/internal/packet"
)

// extra is what only some sessions need, and what has pointers: sessions refer to it by number.
type extra struct {
	tunnels  []packet.Tunnel
	user     any // set by the handler
	followed *followed
}

// extras is the table of extra values by number; 0 is none.
type extras struct {
	all  []extra
	free []uint32
}

func (t *Table) extraOf(s *Session) *extra {
	if s.extra == 0 {
		x := &t.extras
		if n := len(x.free); n > 0 {
			s.extra = x.free[n-1]
			x.free = x.free[:n-1]
		} else {
			if len(x.all) == 0 {
				x.all = append(x.all, extra{})
			}
			s.extra = uint32(len(x.all))
			x.all = append(x.all, extra{})
		}
	}
	return &t.extras.all[s.extra]
}

func (t *Table) freeExtra(s *Session) {
	if s.extra != 0 {
		t.extras.all[s.extra] = extra{}
		t.extras.free = append(t.extras.free, s.extra)
		s.extra = 0
	}
}

// User returns the value that the handler attached to a session.
func (t *Table) User(s *Session) any { return t.extras.at(s).user }

// SetUser attaches x to a session; nil removes it.
func (t *Table) SetUser(s *Session, x any) {
	if x == nil && s.extra == 0 {
		return
	}
	e := t.extraOf(s)
	e.user = x
	if x == nil && e.tunnels == nil && e.followed == nil {
		t.freeExtra(s)
	}
}

var noExtra extra

func (x *extras) at(s *Session) *extra {
	if s.extra == 0 {
		return &noExtra
	}
	return &x.all[s.extra]
}

// maxInterned bounds the tunnel stacks that the sessions of a table share.
const maxInterned = 1 << 12

type tunnelKey struct {
	n uint8
	t [packet.MaxTunnels]packet.Tunnel
}

// tunnels returns the tunnels of p as a slice that sessions share. When there are too many different ones the table is cleared; slices that
// sessions have stay valid.
func (t *Table) tunnels(p *packet.Packet) []packet.Tunnel {
	k := tunnelKey{n: p.NumTunnels}
	copy(k.t[:], p.Tunnels[:p.NumTunnels])
	return t.shared(k)
}

func (t *Table) shared(k tunnelKey) []packet.Tunnel {
	if x, ok := t.intern[k]; ok {
		return x
	}
	if t.intern == nil || len(t.intern) >= maxInterned {
		t.intern = make(map[tunnelKey][]packet.Tunnel)
	}
	x := slices.Clone(k.t[:k.n])
	t.intern[k] = x
	return x
}

// mirrorVLAN copies the VLAN of the mirror header if only one direction has it: in the other the port may have been untagged.
func (t *Table) mirrorVLAN(s *Session, p *packet.Packet) {
	have := t.extras.all[s.extra].tunnels
	if len(have) != int(p.NumTunnels) {
		return
	}
	k := tunnelKey{n: p.NumTunnels}
	for i, x := range have {
		if x.Type != p.Tunnels[i].Type {
			return
		}
		if x.VLAN == 0 {
			x.VLAN = p.Tunnels[i].VLAN
		}
		k.t[i] = x
	}
	t.extras.all[s.extra].tunnels = t.shared(k)
}
