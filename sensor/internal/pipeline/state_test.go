// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"slices"
	"testing"

	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/snapshot/snapshottest"
)

// TestQualityIsKept holds the snapshot to the clock, and to all that is known of the quality of the capture.
func TestQualityIsKept(t *testing.T) {
	j := &judge{}
	encode := func() []byte {
		c := snapshot.Writer(nil)
		j.walk(c)
		return c.Bytes()
	}
	got := snapshottest.Forgotten(&j.ctx.Quality, encode, nil)
	// Whether the port is blind is asked anew at the start.
	if got = slices.DeleteFunc(got, func(field string) bool { return field == "Blind" }); len(got) > 0 {
		t.Errorf("%q are forgotten", got)
	}
	if got := snapshottest.Forgotten(&j.quality, encode, nil); len(got) > 0 {
		t.Errorf("%q are forgotten", got)
	}
	for _, clock := range []*int64{&j.second, &j.ctx.Now} {
		before := encode()
		if *clock++; string(before) == string(encode()) {
			t.Error("the clock is forgotten")
		}
	}
}
