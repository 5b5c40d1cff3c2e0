// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"time"

	"stillwatch/sensor/internal/detect"
)

// updateVisibility determines whether frames can arrive at the interface, and informs the detectors when that changes.
func (c *correlator) updateVisibility(port *lossCounts, sec int64) {
	if port.traffic != c.traffic {
		c.traffic = port.traffic
		c.clock.Traffic(sec)
	}
	blind := port.blind
	if blind != "" {
		c.clock.Deaf(sec)
	}
	if since := c.clock.Quiet(sec); blind == "" && since != 0 {
		blind = "no frame has arrived at the interface since " + time.Unix(since, 0).UTC().Format("2006-01-02 15:04:05 UTC")
	}
	c.clock.SetBlind(blind != "" || c.ctx.Quality.LossRatio > detect.DefaultBlindnessParams().LossRatio)
	if blind == c.ctx.Quality.Blind {
		return
	}
	c.ctx.Now, c.ctx.Quality.Blind = max(c.ctx.Now, sec*1e9), blind
	c.counts.progress.blind.Store(&blind)
	for _, d := range c.detectors {
		if s, ok := d.(detect.VisibilityWatcher); ok {
			s.VisibilityChanged(&c.ctx)
		}
	}
}
