// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

const dayNs = 86400 * int64(1e9)

// Act applies the active policies to the learned contracts: forget once, arm and freeze when they begin and then at midnight (UTC), when contracts
// have changed their states. find returns the device of a key, nil if there is none.
func (s *Set) Act(l *contract.Learner, find func(key string) *device.Device, now int64) {
	midnight := now/dayNs > s.day
	s.day = max(s.day, now/dayNs)
	if s.hash == "" || l == nil {
		return
	}
	for _, k := range s.active() {
		switch fresh := !k.begun; k.Kind {
		case schemas.PolicyArm, schemas.PolicyFreeze:
			if fresh || midnight {
				l.ArmBy(&k.device, k.Kind == schemas.PolicyFreeze, find, now)
			}
		case schemas.PolicyForget:
			if fresh {
				l.ForgetBy(&k.device, k.entries(), find, now)
			}
		default:
			continue
		}
		if !k.begun {
			k.begun = true
			s.mark(k.ID)
		}
	}
}

// entries returns which entries the policy deletes; nil: the whole contract.
func (k *kept) entries() *contract.PolicyMatch {
	if k.Match == nil {
		return nil
	}
	return &k.match
}

// Due reports whether Act has something to do at now: the day has changed since its last call.
func (s *Set) Due(now int64) bool { return s.hash != "" && now/dayNs > s.day }

// Suppresses returns the id of the policy because of which nobody needs to act on a finding, "" if there is none.
func (s *Set) Suppresses(f *detect.Finding, c *detect.Context) string {
	if len(s.suppress) == 0 {
		return ""
	}
	for _, list := range [...][]*kept{s.suppress[f.Rule.ID], s.suppress[""]} {
		for _, k := range list {
			if k.suppresses(f, c) {
				return k.ID
			}
		}
	}
	return ""
}

// Holds reports whether a policy is active.
func (s *Set) Holds(id string) bool {
	k := s.all[id]
	return k != nil && !k.over && k.Kind != schemas.PolicyRetire
}

func (k *kept) suppresses(f *detect.Finding, c *detect.Context) bool {
	protected := contract.Protects(f.Rule.ID) && (f.Rule.ID != "D08" || f.Peer == nil || f.Peer.External)
	switch {
	case k.Device != nil && !k.device.Selects(f.Device):
		return false
	case len(k.Rules) == 0 && protected && (c.Contracts.Critical(f.Device) || f.Peer != nil && c.Contracts.Critical(f.Peer.Device)):
		return false
	case k.Match == nil:
		return k.match.Hours.Has(c.Now)
	case f.Session != nil:
		return k.matches(f, c)
	case k.Match.Direction+k.Match.Proto+k.Match.App != "" || k.match.Port != 0 || !k.match.Hours.Has(c.Now):
		return false // the finding covers many sessions
	}
	return k.includes(f, c)
}

// matches reports whether the session of a finding is one of those that the policy selects, under one of the names that count for a contract.
func (k *kept) matches(f *detect.Finding, c *detect.Context) bool {
	dir, app := session.Out, ""
	if f.DeviceAddr.IsValid() && f.Session.Responder.Addr.Netip() == f.DeviceAddr.Unmap() {
		dir = session.In
	}
	if f.App != nil {
		app = f.App.Name
	}
	var names []string
	if dir == session.Out {
		names = c.TrustedNames(&detect.Event{Session: f.Session, App: f.App})
	}
	var peer *device.Device
	if f.Peer != nil {
		peer = f.Peer.Device
	}
	for _, name := range append(names, "") {
		if c.Contracts.Matches(&k.match, dir, f.Session, app, name, peer, c.Now) {
			return true
		}
	}
	return false
}

// includes reports whether the policy selects all peers of a finding that has no session of its own.
func (k *kept) includes(f *detect.Finding, c *detect.Context) bool {
	if k.match.AnyPeer {
		return true
	}
	var all []string
	if f.Peer != nil {
		all = append(all, f.Peer.IP)
	}
	all = append(all, f.Peers...)
	for _, text := range all {
		a, err := netip.ParseAddr(text)
		if err != nil || !c.Contracts.IsPeer(&k.match, a, "", c.Devices.ByIP(a)) {
			return false
		}
	}
	return len(all) > 0
}
