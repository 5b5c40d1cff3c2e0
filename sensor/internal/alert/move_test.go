// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"net/netip"
	"slices"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
)

// Alerts, incidents and standing facts of a device continue under its new key.
func TestAlertsMoveWithTheirDevice(t *testing.T) {
	b := newBench(t, Config{}, nil)
	old, now := dev(1), dev(2)
	old.Key = "ip:10.0.0.1@local"
	standing := b.finding("D07", old, "exposed", detect.Low)
	standing.Standing, standing.Title = true, "device 10.0.0.1 answers"
	b.m.Add(standing, b.c)
	f := b.finding("D01", old, "k", detect.High)
	f.Entities, f.Broken = []string{"ip:10.0.0.1", "device:" + old.Key}, "silent"
	b.m.Add(f, b.c)
	id, incident := b.got[1].ID, b.got[1].IncidentID
	if !b.m.Move(device.Move{From: old.Key, To: now}, b.c) {
		t.Error("the alert about a broken expectation was not moved")
	}
	b.m.Add(b.finding("D01", now, "k", detect.High), b.c)
	b.wait(2 * minute)
	last := b.got[len(b.got)-1]
	if last.ID != id || last.IncidentID != incident || last.Device.Key != now.Key || last.Dedupe.Count != 2 || !slices.Contains(last.Entities, "device:"+now.Key) {
		t.Errorf("the alert became %s of %s, count %d, incident %s, %q", last.ID, last.Device.Key, last.Dedupe.Count, last.IncidentID, last.Entities)
	}
	b.m.Add(b.finding("D06", now, "other", detect.Medium), b.c)
	if got := b.got[len(b.got)-1]; got.IncidentID != incident {
		t.Errorf("another alert is of incident %s, want %s", got.IncidentID, incident)
	}
	if len(b.m.Standing(old.Key)) != 0 || len(b.m.Standing(now.Key)) != 1 {
		t.Errorf("standing: %v, %v", b.m.Standing(old.Key), b.m.Standing(now.Key))
	}
	if b.m.incidents.byDevice[old.Key] != nil || len(b.m.perDevice) != 1 {
		t.Errorf("something is left under the old key: %v", b.m.perDevice)
	}
}

// If both devices have the alert, one continues and counts both.
func TestAlertsOfTwoDevicesBecomeOne(t *testing.T) {
	b := newBench(t, Config{}, nil)
	old, now := dev(1), dev(2)
	b.m.Add(b.finding("D06", old, "k", detect.Medium), b.c)
	b.m.Add(b.finding("D06", now, "k", detect.Medium), b.c)
	b.m.Move(device.Move{From: old.Key, To: now}, b.c)
	b.wait(2 * minute)
	b.want("create 1 medium 1", "create 1 medium 1", "close 2 medium 1", "update 2 medium 2")
	if got := b.got[3]; got.Device.Key != now.Key || len(b.m.open) != 1 {
		t.Errorf("%s is told, %d are open", got.Device.Key, len(b.m.open))
	}
}

// When an address turns out to be a device of its own, what is about it goes with it, and nothing else.
func TestAlertsOfOneAddressMove(t *testing.T) {
	b := newBench(t, Config{}, nil)
	both, own := dev(1), dev(2)
	addr := netip.MustParseAddr("10.0.0.7")
	for _, a := range []netip.Addr{addr, netip.MustParseAddr("10.0.0.71")} {
		f := b.finding("D07", both, "exposed "+a.String(), detect.Low)
		f.DeviceAddr, f.Standing, f.Title = a, true, "device "+a.String()+" answers"
		b.m.Add(f, b.c)
	}
	b.m.Move(device.Move{From: both.Key, To: own, Addr: addr}, b.c)
	b.wait(2 * minute)
	var got []string
	for _, a := range b.got {
		got = append(got, a.Action+" "+a.Device.Key+" "+a.Dedupe.Key)
	}
	want := []string{"create " + both.Key + " exposed 10.0.0.7", "create " + both.Key + " exposed 10.0.0.71", "update " + own.Key + " exposed 10.0.0.7"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if x, y := b.m.Standing(both.Key), b.m.Standing(own.Key); len(x) != 1 || len(y) != 1 || y[0].Text != "device 10.0.0.7 answers" {
		t.Errorf("standing: %v, %v", x, y)
	}
	if b.m.incidents.byDevice[own.Key] != b.m.incidents.byDevice[both.Key] {
		t.Error("the incident does not go on")
	}
}
