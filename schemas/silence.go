// SPDX-License-Identifier: Apache-2.0

package schemas

import (
	"fmt"
	"math"
	"time"
)

// Text returns a proof of silence in one line; "" for nil. lastSeen is when the last frame of the device was captured.
func (s *Silence) Text(lastSeen Time) string {
	if s == nil {
		return ""
	}
	text := "silent " + s.Share() + " watched"
	if s.WatchedSeconds > 0 {
		text += fmt.Sprintf(" (%.1f %%)", percent(s.SilentSeconds, s.WatchedSeconds))
	}
	text += fmt.Sprintf(", loss %.2f %%, last frame %s ago", 100*s.LossRatio, span(max(int64(s.Until-lastSeen), 0)/1e9))
	if s.LastFrame != "" {
		text += " (" + s.LastFrame + ")"
	}
	return text
}

// Share returns for how long a device was silent, of how long it was watched; "" for nil.
func (s *Silence) Share() string {
	if s == nil {
		return ""
	}
	return span(s.SilentSeconds) + " of " + span(s.WatchedSeconds)
}

// percent returns a share in percent, to one decimal. 100.0 means all.
func percent(part, of int64) float64 {
	p := math.Round(1000*float64(part)/float64(of)) / 10
	if part < of {
		p = min(p, 99.9)
	}
	return p
}

// span returns a number of seconds in its two largest units.
func span(seconds int64) string {
	switch d := time.Duration(seconds) * time.Second; {
	case d < time.Minute:
		return fmt.Sprintf("%d s", seconds)
	case d < time.Hour:
		return fmt.Sprintf("%d min", seconds/60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", seconds/3600, seconds%3600/60)
	}
	return fmt.Sprintf("%d d %d h", seconds/86400, seconds%86400/3600)
}
