// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
)

// TestLongSessionsFromOutside has a host outside keep sessions for up to fourteen hours, with a few bytes every ten minutes. D17 reports each at the
// levels that its page names: one hour, four, eight and twelve.
func TestLongSessionsFromOutside(t *testing.T) {
	n := netsim.New(17)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	nvr := n.Host("nvr", "10.20.9.250", "44:19:b6:00:00:fa", netsim.Linux)
	host := func(i int, mac string) *netsim.Host {
		return n.Host("host", fmt.Sprintf("10.20.10.%d", 10+i), mac, netsim.Linux)
	}
	inv := &contract.Inventory{}
	var want []string
	for i, x := range []struct {
		name   string
		camera bool
		silent bool
		hours  float64
		want   []string
	}{
		{"silent", false, true, 14.2, []string{"medium 1 h", "medium 4 h", "medium 8 h", "medium 12 h"}},
		{"silent-5h", false, true, 5.2, []string{"medium 1 h", "medium 4 h"}},
		{"silent-short", false, true, 0.9, nil},
		{"camera", true, false, 14.2, []string{"low 4 h", "low 8 h", "low 12 h"}},
		{"camera-3h", true, false, 3, nil},
		{"server", false, false, 14.2, nil},
	} {
		mac := fmt.Sprintf("b8:ca:3a:00:01:%02x", i)
		if x.camera {
			mac = fmt.Sprintf("44:19:b6:00:01:%02x", i)
		}
		h := host(i, mac)
		e := contract.Entry{Name: x.name, Match: contract.Match{IP: h.IP}, Expect: contract.Normal, HasExpect: true}
		if x.silent {
			e.Expect = contract.Silent
		}
		inv.Devices = append(inv.Devices, e)
		if x.camera {
			n.SADPMatch(start, h, netsim.Camera{Model: "DS-2CD2043G2-I", Serial: "DS-2CD2043G2-I20210101AAWRF00000001", Firmware: "V5.7.3build 210812", Boot: "2026-02-20 08:11:09"})
			n.RTSP(start.Add(time.Second), nvr, h, netsim.Stream{Path: "/Streaming/Channels/101", Server: "Hikvision", Realm: "IP Camera", User: "view", Password: "x7-secret", Packets: 20, Every: 40 * time.Millisecond})
		}
		far := n.External(fmt.Sprintf("203.0.113.%d", 60+i), netsim.Linux, 40*time.Millisecond)
		c := n.Dial(start.Add(time.Minute), far, h, 8081)
		for at := time.Duration(0); at < time.Duration(x.hours*float64(time.Hour)); at += 10 * time.Minute {
			c.WaitUntil(start.Add(time.Minute + at)).Send([]byte("poll")).Reply([]byte("nothing new"))
		}
		c.Close()
		for _, w := range x.want {
			want = append(want, x.name+" "+w)
		}
	}
	var got []string
	for _, a := range replayed(t, n, inv) {
		if a.Rule.ID != "D17" || a.Action == "close" {
			continue
		}
		i := slices.IndexFunc(a.Reasons, func(r schemas.AlertReason) bool { return r.Code == "long" })
		text, _ := strings.CutPrefix(a.Reasons[i].Text, "the session has lasted for ")
		got = append(got, fmt.Sprintf("%s %s %s", a.Device.Key, a.Severity, text))
	}
	slices.Sort(got)
	got = slices.Compact(got) // a revision may follow because of the incident
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
