// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/state"
)

// quietHost is the last byte of the address of the device that is expected to be silent, and busyHost that of the one that keeps the mirror busy.
const (
	quietHost = 50
	busyHost  = 200
)

func expectSilent(shards int) pipeline.Config {
	set := config.Defaults()
	set.Silent = []netip.Prefix{netip.MustParsePrefix("10.20.0.50/32"), netip.MustParsePrefix("10.20.20.50/32")}
	return pipeline.Config{Settings: set, Shards: shards}
}

// silenceOf returns the proof of silence of host n of a VLAN, nil if it has none.
func silenceOf(t *testing.T, all []string, vlan, n byte) *schemas.Silence {
	t.Helper()
	ip := netip.AddrFrom4([4]byte{10, 20, vlan, n})
	for _, line := range all {
		var d schemas.Device
		if json.Unmarshal([]byte(line), &d) == nil && d.Schema == schemas.DeviceSchema && slices.Contains(d.IPs, ip) {
			return d.Silence
		}
	}
	t.Fatalf("no device %s", ip)
	return nil
}

func sorted(w *wire) []timed {
	slices.SortStableFunc(w.all, func(a, b timed) int { return cmp.Compare(a.at, b.at) })
	return w.all
}

// hours are a number of hours, in seconds.
func hours(n float64) int64 { return int64(n * 3600) }

// silences are captures of a day, from 9:00, in which host 50 opens a session in the first hour, and how long it must have been watched and silent.
func silences() map[string]struct {
	play            func(*wire)
	vlan            byte
	watched, silent int64
	opened          uint64
} {
	busy := func(w *wire, vlan uint16, from, to float64) {
		w.regular(vlan, time.Duration(from*float64(time.Hour)), time.Duration(to*float64(time.Hour)), time.Minute)
	}
	type c = struct {
		play            func(*wire)
		vlan            byte
		watched, silent int64
		opened          uint64
	}
	return map[string]c{
		"no pause": {func(w *wire) { busy(w, 0, 0, 24) }, 0, hours(24), hours(23), 1},
		"opens another session": {func(w *wire) {
			busy(w, 0, 0, 24)
			w.browse(10*time.Hour+10*time.Minute, 0, quietHost)
			w.browse(10*time.Hour+20*time.Minute, 0, quietHost)
		}, 0, hours(24), hours(22), 3},
		"pause of five hours":  {func(w *wire) { busy(w, 0, 0, 8); busy(w, 0, 13, 24) }, 0, hours(19), hours(18), 1},
		"pause of six minutes": {func(w *wire) { busy(w, 0, 0, 8); busy(w, 0, 8.1, 24) }, 0, hours(23.9), hours(22.9), 1},
		"one direction for an hour": {func(w *wire) {
			busy(w, 0, 0, 24)
			w.regular(0, 8*time.Hour, 9*time.Hour, 10*time.Second)
			w.all = slices.DeleteFunc(w.all, func(p timed) bool {
				at := p.at - monday.UnixNano()
				return at >= hours(8)*1e9 && at < hours(9)*1e9 && p.data[0] == 0x00 && p.data[1] == 0x1e // what the router sends
			})
		}, 0, hours(23), hours(22), 1},
		"its VLAN is missing": {func(w *wire) {
			busy(w, 10, 0, 24)
			busy(w, 20, 0, 8)
			busy(w, 20, 14, 24)
		}, 20, hours(20), hours(19), 1},
	}
}

// TestProofOfSilence compares the watched and silent time of a device, to three minutes, or twenty where the quality must first be measured.
func TestProofOfSilence(t *testing.T) {
	for name, c := range silences() {
		t.Run(name, func(t *testing.T) {
			w := &wire{t: t}
			w.browse(time.Second, uint16(c.vlan), quietHost)
			c.play(w)
			frames := sorted(w)
			all := records(t, frames, 500, expectSilent(1))
			s := silenceOf(t, all, c.vlan, quietHost)
			if s == nil {
				t.Fatal("no proof")
			}
			slack := 180.0
			if name == "one direction for an hour" {
				slack = 1200
			}
			if math.Abs(float64(s.WatchedSeconds-c.watched)) > slack || math.Abs(float64(s.SilentSeconds-c.silent)) > slack || s.SessionsOpened != c.opened {
				t.Errorf("watched %d s, silent %d s, opened %d; want %d s, %d s, %d", s.WatchedSeconds, s.SilentSeconds, s.SessionsOpened, c.watched, c.silent, c.opened)
			}
			if s.LastFrame != "TCP" || s.LossRatio != 0 || s.Alerts == 0 || s.BytesOut == 0 || s.BytesIn == 0 || s.SessionsAnswered != 0 || len(s.OpenedHours) == 0 {
				t.Errorf("%+v", s)
			}
			if x := silenceOf(t, all, c.vlan, busyHost); name != "its VLAN is missing" && x != nil {
				t.Errorf("a device that may open sessions has a proof: %+v", x)
			}
			for _, shards := range []int{2, 5} {
				if again := records(t, frames, 100*shards+7, expectSilent(shards)); !slices.Equal(again, all) {
					t.Errorf("%d shards give other records", shards)
				}
			}
		})
	}
}

// TestProofOfSilenceOverRestarts replays a capture in three pieces with a state file: the proof is that of the whole.
func TestProofOfSilenceOverRestarts(t *testing.T) {
	w := &wire{t: t}
	w.browse(time.Second, 0, quietHost)
	w.browse(10*time.Hour, 0, quietHost)
	w.regular(0, 0, 8*time.Hour, time.Minute)
	w.regular(0, 9*time.Hour, 24*time.Hour, time.Minute)
	frames := sorted(w)
	want := silenceOf(t, records(t, frames, 500, expectSilent(1)), 0, quietHost)
	file := filepath.Join(t.TempDir(), "state")
	var got *schemas.Silence
	for i := range 3 {
		cfg := expectSilent(1)
		s, err := state.Open(file, state.Options{Sensor: "s", Site: "local", Version: "1"})
		if err != nil {
			t.Fatal(err)
		}
		cfg.State = s
		piece := frames[i*len(frames)/3 : (i+1)*len(frames)/3]
		got = silenceOf(t, records(t, piece, 500, cfg), 0, quietHost)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if want == nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%+v\nin pieces, and in one\n%+v", got, want)
	}
}

// TestIdleDeviceHasAProof has a device open nothing for eight days. It is idle, and was silent since the hour after its last session.
func TestIdleDeviceHasAProof(t *testing.T) {
	w := &wire{t: t}
	w.browse(10*time.Minute, 0, quietHost)
	w.regular(0, 0, 8*day, 4*time.Minute)
	s := silenceOf(t, records(t, sorted(w), 500, pipeline.Config{Shards: 1}), 0, quietHost)
	if want := hours(8*24 - 1); s == nil || math.Abs(float64(s.WatchedSeconds-want)) > 600 || s.SilentSeconds != s.WatchedSeconds || s.SessionsOpened != 0 {
		t.Errorf("%+v, want %d s", s, want)
	}
}
