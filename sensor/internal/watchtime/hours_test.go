// SPDX-License-Identifier: Apache-2.0

package watchtime

import (
	"maps"
	"math/rand/v2"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/snapshot/snapshottest"
)

const startHour = uint32(start / 3600)

// good returns the well watched seconds of n hours of a VLAN.
func good(c *Clock, vlan uint16, n uint32) (seconds int64) {
	for at := startHour; at < startHour+n; at++ {
		s, _ := c.Good(vlan, at)
		seconds += s
	}
	return seconds
}

func TestGoodSeconds(t *testing.T) {
	k := New(false)
	k.SetQuality(true, Losses{})
	frames(k, 0, 3600, 60)
	frames(k, 3600+400, 7200, 60) // a pause of 460 s, which no frame proves to be watched
	k.SetQuality(false, Losses{})
	frames(k, 7200, 10800, 60)
	k.SetQuality(true, Losses{})
	frames(k, 10800, 14401, 60)
	// The last frame of the second hour is 20 s before its end, and the last one of the bad hour 60 s: quality is set from the last frame on.
	if got := good(k, 0, 4); got != 3*3600-460-20+60 {
		t.Errorf("%d s", got)
	}
	if got := good(k, 7, 4); got != 0 {
		t.Errorf("%d s of a VLAN without a frame", got)
	}
}

// TestGoodSecondsOfAPort counts a live interface only as long as traffic arrives.
func TestGoodSecondsOfAPort(t *testing.T) {
	k := New(true)
	k.SetQuality(true, Losses{})
	for s := start; s <= start+7200; s++ {
		if s < start+1800 {
			k.Traffic(s)
			k.VLAN(0, s)
		}
		k.Idle(s)
	}
	if got := good(k, 0, 2); got < 1800 || got > 1800+alive/second {
		t.Errorf("%d s of a port with traffic for 1800 s", got)
	}
}

func TestLosses(t *testing.T) {
	k := New(false)
	k.SetQuality(true, Losses{})
	frames(k, 0, 3600, 60)
	k.SetQuality(true, Losses{Offered: 1000, Lost: 1})
	frames(k, 3600, 7200, 60)
	k.SetQuality(true, Losses{Offered: 3000, Lost: 1, Acked: 100, Gaps: 50})
	if _, l := k.Good(0, startHour); l.Ratio() != 0.001 {
		t.Errorf("%+v", l)
	}
	if _, l := k.Good(0, startHour+1); l.Ratio() != 0.5 {
		t.Errorf("%+v", l)
	}
}

// TestHoursAreBounded watches 200 days and keeps 90, of all VLANs.
func TestHoursAreBounded(t *testing.T) {
	k := New(false)
	k.SetQuality(true, Losses{})
	for s := int64(0); s < 200*86400; s += 240 {
		k.Frames(start + s)
		k.VLAN(uint16(s/240%numVLANs), start+s)
		k.VLAN(0, start+s)
	}
	if got := good(k, 0, 200*24); got < 90*86400-3600 || got > 90*86400 {
		t.Errorf("%d s are kept", got)
	}
	if len(k.hours.gone) != 0 {
		t.Error("hours that were never saved are to be deleted")
	}
}

func TestHoursAreRestored(t *testing.T) {
	k, again := New(false), New(false)
	d := snapshottest.Disk{}
	var b snapshot.Batch
	k.SetQuality(true, Losses{})
	for day := range int64(100) {
		for s := day * 86400; s < (day+1)*86400; s += 240 {
			k.Frames(start + s)
			k.VLAN(uint16(s/86400%3), start+s)
		}
		k.SetQuality(true, Losses{Offered: uint64(day) * 100, Lost: uint64(day)})
		b.Reset()
		for k.hours.drain(&b, 7) == 7 {
		}
		d.Apply(t, &b)
	}
	if bad := again.hours.restore(d.Records(hoursPart)); bad != 0 {
		t.Errorf("%d records are bad", bad)
	}
	for vlan := range uint16(4) {
		for at := startHour; at < startHour+100*24; at++ {
			s, l := k.Good(vlan, at)
			if s2, l2 := again.Good(vlan, at); s != s2 || l != l2 {
				t.Fatalf("VLAN %d, hour %d: %d s %+v, restored %d s %+v", vlan, at-startHour, s, l, s2, l2)
			}
		}
	}
}

// rows returns the rows of a history.
func rows(h *History) map[uint32]Activity { return maps.Collect(h.Rows()) }

func TestHistory(t *testing.T) {
	x := rand.New(rand.NewPCG(3, 4))
	h := &History{Since: 1000}
	want := map[uint32]Activity{}
	for at := uint32(1000); at < 4000; at += 1 + uint32(x.IntN(3)) {
		a := Activity{Opened: x.Uint64N(3), Answered: x.Uint64N(300), Out: x.Uint64() >> 20, In: x.Uint64(), Alerts: 1}
		want[at] = a
		h.Append(at, a)
	}
	if !maps.Equal(rows(h), want) {
		t.Fatal("the rows differ")
	}
	if h.Trim(500) || !h.Trim(2000) || h.Since != 2000 {
		t.Error("trimming")
	}
	maps.DeleteFunc(want, func(at uint32, _ Activity) bool { return at < 2000 })
	if !maps.Equal(rows(h), want) {
		t.Error("the rows differ after trimming")
	}
	w := snapshot.Writer(nil)
	h.Walk(w)
	var again History
	again.Walk(snapshot.Reader(w.Bytes()))
	if !maps.Equal(rows(&again), want) || again.Last() != h.Last() || again.Since != h.Since {
		t.Error("the rows differ after a restart")
	}
	other := &History{Since: 1500}
	other.Append(2001, Activity{Opened: 5})
	other.Append(5000, Activity{Opened: 7})
	sum := want[2001]
	sum.Add(Activity{Opened: 5})
	want[2001], want[5000] = sum, Activity{Opened: 7}
	if h.Merge(other); !maps.Equal(rows(h), want) || h.Since != 1500 || h.Last() != 5000 {
		t.Error("the rows differ after merging")
	}
	if !h.Trim(6000) || h.Size() != 0 {
		t.Error("all rows must go")
	}
	if h.Append(7000, Activity{Opened: 1}); rows(h)[7000].Opened != 1 {
		t.Error("the first row after trimming")
	}
}

func FuzzHistory(f *testing.F) {
	h := History{Since: 1000}
	h.Append(1001, Activity{Opened: 1, Out: 70000})
	w := snapshot.Writer(nil)
	h.Walk(w)
	f.Add(w.Bytes())
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		var h, x History
		h.Walk(snapshot.Reader(b))
		x.Walk(snapshot.Reader(b))
		last := uint32(0)
		for at := range h.Rows() {
			if at <= last {
				t.Fatalf("hour %d after %d", at, last)
			}
			last = at
		}
		h.Merge(&x)
		h.Trim(last / 2)
		k := New(false)
		k.hours.restore(func(yield func(k, v []byte) bool) { yield(b[:min(len(b), 3)], b) })
		k.Good(1, last)
	})
}
