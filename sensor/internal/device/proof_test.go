// SPDX-License-Identifier: Apache-2.0

package device

import (
	"fmt"
	"testing"

	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/snapshot/snapshottest"
	"stillwatch/sensor/internal/watchtime"
)

// active gives n devices an activity in each of some hours, and ends the hours.
func active(r *Registry, n int, from, to uint32, proof func(*Device) bool) {
	for at := from; at < to; at++ {
		r.NextHour(int64(at)*watchtime.NsPerHour, proof)
		for i := range n {
			key := fmt.Sprint("dev-", i)
			if r.byKey[key] == nil {
				r.create(key, int64(at)*watchtime.NsPerHour)
			}
			r.byKey[key].hourAnswered++
		}
	}
	r.NextHour(int64(to)*watchtime.NsPerHour, proof)
}

func always(*Device) bool { return true }

// TestHistoriesAreBounded has more activity than fits: the oldest hours go, of all devices at once, and a proof says from when on it holds.
func TestHistoriesAreBounded(t *testing.T) {
	r := New(Config{})
	r.histories.limit = 50_000
	active(r, 100, 1000, 1300, always)
	size := 0
	for _, x := range r.histories.of {
		size += x.Size()
	}
	if size != r.histories.size || size > 50_000 || r.Stats().HoursEvicted == 0 {
		t.Errorf("%d bytes, counted as %d, %d hours evicted", size, r.histories.size, r.Stats().HoursEvicted)
	}
	p := r.Proof(r.byKey["dev-7"], 1300*watchtime.NsPerHour)
	if floor := int64(r.histories.floor) * watchtime.NsPerHour; p.Since != floor || p.Activity.Answered != uint64(1300-r.histories.floor) {
		t.Errorf("%+v, want it from %d", p, floor)
	}
}

// TestOnlyDevicesThatNeedItHaveAHistory has a device that opens what it likes, and then is expected to be silent.
func TestOnlyDevicesThatNeedItHaveAHistory(t *testing.T) {
	r := New(Config{})
	active(r, 2, 1000, 1010, func(d *Device) bool { return d.Key == "dev-1" })
	if len(r.histories.of) != 1 {
		t.Fatalf("%d histories", len(r.histories.of))
	}
	active(r, 2, 1010, 1015, always)
	now := 1015 * watchtime.NsPerHour
	if p := r.Proof(r.byKey["dev-0"], now); p.Activity.Answered != 5 || p.CountedSince != 1010*watchtime.NsPerHour {
		t.Errorf("%+v", p)
	}
	if p := r.Proof(r.byKey["dev-1"], now); p.Activity.Answered != 15 || p.CountedSince != 1000*watchtime.NsPerHour {
		t.Errorf("%+v", p)
	}
	r.drop(r.byKey["dev-1"])
	if len(r.histories.of) != 1 || r.histories.size != r.histories.of[1].Size() {
		t.Errorf("%d histories of %d bytes after a device was dropped", len(r.histories.of), r.histories.size)
	}
}

// TestHistoriesAreRestored saves histories while they grow, and drops one device that was saved.
func TestHistoriesAreRestored(t *testing.T) {
	d := snapshottest.Disk{}
	r := New(Config{})
	parts := r.Parts()
	save := func() {
		var b snapshot.Batch
		for i := range parts {
			for parts[i].Drain(&b, 3) == 3 {
			}
		}
		d.Apply(t, &b)
	}
	active(r, 5, 1000, 1003, always)
	save()
	r.drop(r.byKey["dev-4"])
	active(r, 4, 1003, 1006, always)
	save()
	again := New(Config{})
	for _, p := range again.Parts() {
		if bad := p.Restore(d.Records(p.Name)); bad != 0 {
			t.Errorf("%s: %d bad records", p.Name, bad)
		}
	}
	again.Restored()
	if len(again.histories.of) != 4 || again.histories.size != r.histories.size || again.histories.hour != 1006 {
		t.Errorf("%d histories of %d bytes, want 4 of %d", len(again.histories.of), again.histories.size, r.histories.size)
	}
	for i := range 4 {
		key := fmt.Sprint("dev-", i)
		a, b := r.Proof(r.byKey[key], 1007*watchtime.NsPerHour), again.Proof(again.byKey[key], 1007*watchtime.NsPerHour)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s: %+v, restored %+v", key, a, b)
		}
	}
}

// TestMergedDevicesShareTheirHistory merges a device into another.
func TestMergedDevicesShareTheirHistory(t *testing.T) {
	r := New(Config{})
	active(r, 2, 1000, 1004, always)
	r.byKey["dev-1"].hourAnswered = 7
	r.takeAll(r.byKey["dev-1"], r.byKey["dev-0"])
	if p := r.Proof(r.byKey["dev-0"], 1004*watchtime.NsPerHour); p.Activity.Answered != 15 || len(r.histories.of) != 1 || r.histories.size != r.histories.of[1].Size() {
		t.Errorf("%+v, %d histories", p, len(r.histories.of))
	}
}
