// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/evidence"
	"stillwatch/sensor/internal/pipeline"
)

// TestEvidenceIsKeptForSilentDevicesOnly replays an office of which nothing is expected and in which no alert is raised: no packet is kept. With
// a silent device, packets are kept unless the configuration turns that off.
func TestEvidenceIsKeptForSilentDevicesOnly(t *testing.T) {
	path := office(t, nil)
	keeps := func(settings *config.Config) (kept, alerts uint64) {
		src, err := capture.OpenFiles([]string{path})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		r, err := pipeline.New(pipeline.Config{Settings: settings, Replay: true}, src, pipeline.Output{Evidence: func(*evidence.File) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		s := r.Summary()
		return s.Counters["evidence_packets"], s.Alerts
	}
	off := false
	quiet := config.Defaults()
	for _, rule := range detect.Rules() {
		quiet.Detections[rule.ID] = config.Detection{Enabled: &off}
	}
	if kept, alerts := keeps(quiet); kept != 0 || alerts != 0 {
		t.Errorf("%d packets are kept, and there are %d alerts", kept, alerts)
	}
	silent := config.Defaults()
	silent.Silent = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("172.16.0.0/12")}
	if kept, _ := keeps(silent); kept == 0 {
		t.Error("no packet of a silent device is kept")
	}
	silent.EvidenceMemory = 0
	if kept, _ := keeps(silent); kept != 0 {
		t.Errorf("%d packets are kept although evidence.memory is 0", kept)
	}
}
