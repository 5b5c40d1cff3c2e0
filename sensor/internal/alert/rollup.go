// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"

	"stillwatch/sensor/internal/detect"
)

// rollUp returns the finding that counts all further findings of one rule and device once the device has its share of alerts. It lists
// peers in the entities as far as there is room. It names no port and no session, because it is about many.
func (m *Manager) rollUp(f *detect.Finding) *detect.Finding {
	m.stats.RolledUp++
	r := *f
	r.Key, r.Total, r.Brief = "more", 0, ""
	r.Session, r.App = nil, nil
	who, alerts := detect.ShortLabel(f.Device, f.DeviceAddr), detect.Plural(m.cfg.PerDevice, "alert", "alerts")
	r.Title = detect.Fit(fmt.Sprintf("%s: more than %s of %s (%s)", who, alerts, f.Rule.ID, f.Rule.Name))
	r.Message = fmt.Sprintf("Expected: at most %s of rule %s about one device at a time. Seen: more, which are counted here; the last at %s UTC: %s.",
		alerts, f.Rule.ID, stamp(f.Start), f.Title)
	if f.Peer != nil {
		p := *f.Peer
		p.Port = 0
		r.Peer = &p
	}
	return &r
}
