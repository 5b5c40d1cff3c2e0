// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"slices"
	"testing"

	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/snapshot/snapshottest"
)

// TestQualityIsSaved checks that the snapshot contains the clock and all fields of the capture quality.
func TestQualityIsSaved(t *testing.T) {
	c := &correlator{}
	encode := func() []byte {
		codec := snapshot.Writer(nil)
		c.walk(codec)
		return codec.Bytes()
	}
	got := snapshottest.Forgotten(&c.ctx.Quality, encode, nil)
	// Whether the port is blind is determined again at the start.
	if got = slices.DeleteFunc(got, func(field string) bool { return field == "Blind" }); len(got) > 0 {
		t.Errorf("%q are forgotten", got)
	}
	if got := snapshottest.Forgotten(&c.quality, encode, nil); len(got) > 0 {
		t.Errorf("%q are forgotten", got)
	}
	for _, clock := range []*int64{&c.second, &c.ctx.Now} {
		before := encode()
		if *clock++; string(before) == string(encode()) {
			t.Error("the clock is forgotten")
		}
	}
}
