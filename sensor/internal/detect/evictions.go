// SPDX-License-Identifier: Apache-2.0

package detect

// evicter is a detector that keeps tables which may be full.
type evicter interface{ evictions() uint64 }

// EvictionsOf counts the entries that the tables of one detector forgot because they were full. Each is something that the detector
// no longer knew while it was still of use: a counter that rises says that a limit is too low for this network, or that somebody
// floods it.
func EvictionsOf(d Detector) uint64 {
	if e, ok := d.(evicter); ok {
		return e.evictions()
	}
	return 0
}

// Evictions is EvictionsOf for all detectors together.
func Evictions(ds []Detector) (n uint64) {
	for _, d := range ds {
		n += EvictionsOf(d)
	}
	return n
}

func (o *outbound) evictions() uint64     { return o.live.evicted() + o.met.evicted() }
func (w *wake) evictions() uint64         { return w.devices.evicted() }
func (r *role) evictions() uint64         { return r.told.evicted() }
func (b *callback) evictions() uint64     { return b.pairs.evicted() }
func (x *exposure) evictions() uint64     { return x.probed.evicted() }
func (l *loginSuccess) evictions() uint64 { return l.hosts.evicted() + l.told.evicted() }
func (n *newDevice) evictions() uint64    { return n.told.evicted() }
func (m *mirai) evictions() uint64        { return m.ours.evicted() + m.them.evicted() }

func (b *bruteForce) evictions() uint64 {
	return b.pairs.evicted() + b.targets.evicted() + b.sources.evicted() + b.sessions.evicted()
}

func (s *scan) evictions() uint64 {
	return s.sources.evicted() + s.pairs.evicted() + s.arps.evicted() + s.pings.evicted()
}

func (u *upload) evictions() uint64 {
	return u.sessions.evicted() + u.peers.evicted() + u.devices.evicted()
}
