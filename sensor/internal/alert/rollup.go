// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"

	"stillwatch/sensor/internal/detect"
)

// rollUp gives the finding under which all further findings of one rule and device are counted, once that device has
// filled its share of the list. Peers stand in the entities as far as there is room; it names no port and no session,
// because it speaks of many.
func (m *Manager) rollUp(f *detect.Finding) *detect.Finding {
	m.stats.RolledUp++
	r := *f
	r.Key, r.WindowS = "more", f.WindowS
	r.Session, r.App = nil, nil
	r.Title = fmt.Sprintf("%s: more than %d findings about %s", f.Rule.Name, m.cfg.PerDevice, f.Who())
	r.Message = fmt.Sprintf("Expected: at most %d findings of one kind about one device at a time, each told by itself. Seen: more; they are counted here. The last one: %s",
		m.cfg.PerDevice, f.Message)
	if f.Peer != nil {
		p := *f.Peer
		p.Port = 0
		r.Peer = &p
	}
	return &r
}
