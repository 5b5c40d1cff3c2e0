// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"math"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
)

// severity returns the severity of a finding: the one that the operator has set for the rule, or the one of the detector, one step up
// for a critical device, one step down for one of low importance, and at most low in a maintenance window. Critical stays critical:
// malware on a device is critical during maintenance as well.
func (m *Manager) severity(f *detect.Finding, c *detect.Context) detect.Severity {
	sev := f.Severity
	if s, ok := m.cfg.Severity[f.Rule.ID]; ok {
		return s
	}
	if sev == detect.Informational || sev == detect.Critical {
		return sev
	}
	if f.Device != nil && c.Contracts != nil {
		sev = byCriticality(sev, c.Contracts.Entry(f.Device))
	}
	if f.Maintenance {
		sev = min(sev, detect.Low)
	}
	return sev
}

func byCriticality(sev detect.Severity, e *contract.Entry) detect.Severity {
	if e == nil {
		return sev
	}
	switch e.Criticality {
	case "critical":
		return min(sev+1, detect.Critical)
	case "low":
		return max(sev-1, detect.Low)
	}
	return sev
}

// riskOf returns the reliability and the capture quality of a finding.
func (m *Manager) riskOf(f *detect.Finding, sev detect.Severity, c *detect.Context) risk {
	r := f.Reliability
	if r == 0 {
		r = f.Rule.Reliability
	}
	return risk{r, c.Quality.Factor()}
}

// confidence is reliability times quality, from 0 to 100.
func (r risk) confidence() int { return percent(r.reliability * r.quality) }

func percent(p float64) int { return int(math.Round(100 * min(max(p, 0), 1))) }

// What severity and importance contribute to the risk score.
var (
	severityScore    = [...]float64{5, 20, 45, 70, 90}
	criticalityScore = map[string]float64{"low": -10, "medium": 0, "high": 5, "critical": 10}
)

// riskScore returns a score from 0 to 100. The severity sets the range; importance of the device and confidence move it within.
func riskScore(sev detect.Severity, r risk, e *contract.Entry) int {
	s := severityScore[sev] + 10*(r.reliability*r.quality-0.5)
	if e != nil {
		s += criticalityScore[e.Criticality]
	}
	return percent(s / 100)
}
