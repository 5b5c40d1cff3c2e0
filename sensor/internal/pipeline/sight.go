// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"time"

	"stillwatch/sensor/internal/detect"
)

// sight says whether anything can be heard at a port, and tells of it when that changes.
func (j *judge) sight(port *lossCounts, sec int64) {
	if port.traffic != j.traffic {
		j.traffic = port.traffic
		j.clock.Traffic(sec)
	}
	blind := port.blind
	if blind != "" {
		j.clock.Deaf(sec)
	}
	if since := j.clock.Quiet(sec); blind == "" && since != 0 {
		blind = "no frame has come to the port since " + time.Unix(since, 0).UTC().Format("2006-01-02 15:04:05 UTC")
	}
	j.clock.SetBlind(blind != "" || j.ctx.Quality.LossRatio > detect.DefaultBlindnessParams().LossRatio)
	if blind == j.ctx.Quality.Blind {
		return
	}
	j.ctx.Now, j.ctx.Quality.Blind = max(j.ctx.Now, sec*1e9), blind
	j.tally.progress.blind.Store(&blind)
	for _, d := range j.detectors {
		if s, ok := d.(detect.Sighted); ok {
			s.Sight(&j.ctx)
		}
	}
}
