// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	progressEvery = 200 * time.Millisecond
	barWidth      = 20
	eraseLine     = "\r\x1b[K"
)

// Progress is how far a run is.
type Progress struct {
	Packets, Alerts       uint64
	BytesRead, BytesTotal uint64 // of the capture files; BytesTotal 0: unknown
	Noun                  string // what Alerts counts, if not alerts
}

// ShowProgress repaints a progress line on w until stop is closed, then erases it.
func ShowProgress(w io.Writer, ask func() Progress, stop <-chan struct{}) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-stop:
			fmt.Fprint(w, eraseLine)
			return
		case <-tick.C:
			fmt.Fprint(w, eraseLine+progressLine(ask(), time.Since(began)))
		}
	}
}

// progressLine returns the share that is done, the rate, and the time left.
func progressLine(p Progress, took time.Duration) string {
	var parts []string
	if p.BytesTotal > 0 {
		share := min(float64(p.BytesRead)/float64(p.BytesTotal), 1)
		done := int(share * barWidth)
		parts = append(parts, fmt.Sprintf("[%s%s] %3.0f %%", strings.Repeat("#", done), strings.Repeat(".", barWidth-done), share*100))
	}
	parts = append(parts, Scaled(float64(p.Packets))+"packets", Scaled(float64(p.Packets)/max(took.Seconds(), 0.001))+"/s")
	if left, ok := timeLeft(p, took); ok {
		parts = append(parts, Duration(left)+" left")
	}
	return strings.Join(append(parts, Counted(p.Alerts, cmp.Or(p.Noun, "alert"))), ", ")
}

func timeLeft(p Progress, took time.Duration) (time.Duration, bool) {
	if p.BytesTotal == 0 || p.BytesRead == 0 || p.BytesRead > p.BytesTotal {
		return 0, false
	}
	return time.Duration(float64(took) * float64(p.BytesTotal-p.BytesRead) / float64(p.BytesRead)), true
}
