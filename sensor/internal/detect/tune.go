// SPDX-License-Identifier: Apache-2.0

package detect

// What the detectors change when they get other parameters while they run: the bounds of their tables. All else is read from the parameters
// whenever it is needed.

func (b *blindness) tune(p BlindnessParams) {
	b.p = p
}

func (b *bruteForce) tune(p BruteForceParams) {
	b.p = p
	b.pairs.limit(p.MaxPairs)
	b.targets.limit(p.MaxPairs)
	b.sources.limit(p.MaxPairs)
	b.sessions.limit(p.MaxPairs)
}

func (k *callback) tune(p CallbackParams) {
	k.p = p
	k.pairs.limit(p.MaxTargets)
}

func (x *exposure) tune(p ExposureParams) {
	x.p = p
	x.probed.limit(p.MaxDevices)
}

func (l *loginSuccess) tune(p LoginParams) {
	l.p = p
	l.hosts.limit(p.MaxDevices)
	l.told.limit(p.MaxDevices)
}

func (m *mirai) tune(p MiraiParams) {
	m.p = p
	m.ours.limit(p.MaxSources)
	m.them.limit(p.MaxSources)
}

func (n *newDevice) tune(p NewDeviceParams) {
	n.p = p
	n.told.limit(p.MaxTold)
}

func (o *outbound) tune(p OutboundParams) {
	o.p = p
	o.live.limit(p.MaxSessions)
	o.met.limit(p.MaxSessions)
	o.waiting.limit = p.MaxWaiting
}

func (r *role) tune(p RoleParams) {
	r.p = p
	r.told.limit(p.MaxTold)
}

func (s *scan) tune(p ScanParams) {
	s.p = p
	s.sources.limit(p.MaxSources)
	s.pairs.limit(p.MaxPairs)
	s.arps.limit(p.MaxSources)
	s.pings.limit(p.MaxSources)
}

func (u *upload) tune(p UploadParams) {
	u.p = p
	u.sessions.limit(p.MaxSessions)
	u.peers.limit(p.MaxPeers)
	u.devices.limit(p.MaxPeers)
}

func (w *wake) tune(p WakeParams) {
	w.p = p
	w.devices.limit(p.MaxDevices)
}
