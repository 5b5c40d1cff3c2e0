// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"stillwatch/sensor/internal/pipeline"
)

const (
	progressEvery = 200 * time.Millisecond
	barWidth      = 20
	eraseLine     = "\r\x1b[K"
)

// showProgress repaints one line on w until stop is closed, and then takes it away.
func showProgress(w io.Writer, ask func() pipeline.Progress, stop <-chan struct{}) {
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

// progressLine says how far a run has come, how fast it is, and how long it will take.
func progressLine(p pipeline.Progress, took time.Duration) string {
	var parts []string
	if p.BytesTotal > 0 {
		share := min(float64(p.BytesRead)/float64(p.BytesTotal), 1)
		done := int(share * barWidth)
		parts = append(parts, fmt.Sprintf("[%s%s] %3.0f %%", strings.Repeat("#", done), strings.Repeat(".", barWidth-done), share*100))
	}
	parts = append(parts, scaled(float64(p.Packets))+"packets", scaled(float64(p.Packets)/max(took.Seconds(), 0.001))+"/s")
	if left, ok := timeLeft(p, took); ok {
		parts = append(parts, span(left)+" left")
	}
	return strings.Join(append(parts, counted(p.Alerts, "alert")), ", ")
}

func timeLeft(p pipeline.Progress, took time.Duration) (time.Duration, bool) {
	if p.BytesTotal == 0 || p.BytesRead == 0 || p.BytesRead > p.BytesTotal {
		return 0, false
	}
	return time.Duration(float64(took) * float64(p.BytesTotal-p.BytesRead) / float64(p.BytesRead)), true
}
