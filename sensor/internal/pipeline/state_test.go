// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
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
	if got := snapshottest.Forgotten(&j.ctx.Quality, encode, nil); len(got) > 0 {
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
