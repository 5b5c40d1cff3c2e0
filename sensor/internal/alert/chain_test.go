// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
)

// about makes a finding about a device and a peer, in the session that the text names.
func (b *bench) about(id string, d *device.Device, stage detect.Stage, p *detect.Peer, session string) *detect.Finding {
	f := b.finding(id, d, id+" "+session, detect.High)
	f.Stage, f.Peer, f.DeviceAddr = stage, p, d.IP()
	if session != "" {
		f.Related = []string{"1:" + (session + strings.Repeat("A", 27))[:27] + "="}
	}
	return f
}

func far(ip, name string) *detect.Peer {
	return &detect.Peer{IP: ip, Name: name, NameSource: "dns", External: true}
}

func near(d *device.Device) *detect.Peer { return &detect.Peer{IP: d.IP().String(), Device: d} }

// Two views of one thing are no chain; two things are.
func TestChainCountsIndependentEvidence(t *testing.T) {
	d, other := dev(1), dev(2)
	a, b4, out := far("198.51.100.1", ""), far("198.51.100.2", ""), detect.StageOutbound
	for _, c := range []struct {
		name string
		fs   func(b *bench) []*detect.Finding
		want string
	}{
		{"the call and the waking by one session", func(b *bench) []*detect.Finding {
			return []*detect.Finding{b.about("D01", d, out, a, "s"), b.about("D02", d, out, a, "s")}
		}, ""},
		{"the call and the failed calls to one peer", func(b *bench) []*detect.Finding {
			return []*detect.Finding{b.about("D01", d, out, a, "s"), b.about("D06", d, out, a, "u")}
		}, ""},
		{"the call and the upload to one name at two addresses", func(b *bench) []*detect.Finding {
			return []*detect.Finding{b.about("D01", d, out, far("198.51.100.1", "cloud.example.com"), "s"), b.about("D18", d, out, far("198.51.100.9", "cloud.example.com"), "u")}
		}, ""},
		{"the scan and the call to a host that was scanned", func(b *bench) []*detect.Finding {
			scan := b.about("D13", d, detect.StageDiscovery, nil, "")
			scan.Peers = []string{"198.51.100.7", "198.51.100.1"}
			return []*detect.Finding{scan, b.about("D01", d, out, a, "s")}
		}, ""},
		{"the scan and a first contact that is a part of it", func(b *bench) []*detect.Finding {
			scan := b.about("D13", d, detect.StageDiscovery, nil, "")
			scan.Key = "hosts"
			return []*detect.Finding{scan, b.about("D39", d, out, a, "s")}
		}, ""},
		{"the scan, a first contact that is a part of it, and a call elsewhere", func(b *bench) []*detect.Finding {
			scan := b.about("D13", d, detect.StageDiscovery, nil, "")
			scan.Key = "hosts"
			return []*detect.Finding{scan, b.about("D39", d, out, a, "s"), b.about("D18", d, out, b4, "u")}
		}, "critical P 0.98 stages 2"}, // 1 − 0.1 · 0.3 / 2
		{"a login seen from both ends", func(b *bench) []*detect.Finding {
			return []*detect.Finding{b.about("D08", other, detect.StageLogin, near(d), "s"), b.about("D01", d, out, near(other), "u")}
		}, ""},
		{"exposure and login by one session", func(b *bench) []*detect.Finding {
			exposed := b.about("D07", d, detect.StageScanned, a, "s")
			exposed.Standing = true
			return []*detect.Finding{exposed, b.about("D08", d, detect.StageLogin, a, "s")}
		}, ""},
		{"failed calls to one peer and a call to another", func(b *bench) []*detect.Finding {
			return []*detect.Finding{b.about("D06", d, out, a, "s"), b.about("D01", d, out, b4, "u")}
		}, "critical P 0.97 stages 1"}, // 1 − 0.2 · 0.15
		{"two calls, and failed calls to one of their peers", func(b *bench) []*detect.Finding {
			return []*detect.Finding{b.about("D01", d, out, a, "s"), b.about("D01", d, out, b4, "u"), b.about("D06", d, out, a, "v")}
		}, "critical P 0.97 stages 1"},
		{"a login, and a call to another peer", func(b *bench) []*detect.Finding {
			return []*detect.Finding{b.about("D08", d, detect.StageLogin, a, "s"), b.about("D01", d, out, b4, "u")}
		}, "critical P 1.00 stages 2"},
		{"a login, and a call back to its source", func(b *bench) []*detect.Finding {
			return []*detect.Finding{b.about("D08", d, detect.StageLogin, a, "s"), b.about("D01", d, out, a, "u")}
		}, "critical P 0.98 stages 2"}, // 1 − 0.03 / 2: counted once, in two stages
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, Config{}, nil)
			for _, f := range c.fs(b) {
				f.Start, f.End = b.c.Now, b.c.Now
				b.m.Add(f, b.c)
				b.c.Now += minute
			}
			got := ""
			for _, x := range b.got {
				if x.Rule.ID == "D42" {
					p, stages := b.m.incidents.byDevice[x.Device.Key].probability()
					got = fmt.Sprintf("%s P %.2f stages %d", x.Severity, p-1e-9, stages)
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// A piece of evidence of a chain has the time and the title of one alert, as that reads at the time.
func TestChainQuotesItsAlerts(t *testing.T) {
	b := newBench(t, Config{}, nil)
	d := dev(1)
	say := func(id, key, title string, stage detect.Stage, p *detect.Peer) {
		f := b.about(id, d, stage, p, key)
		f.Key, f.Title = key, title
		b.m.Add(f, b.c)
		b.wait(5 * minute)
	}
	say("D08", "in", "login", detect.StageLogin, far("203.0.113.66", ""))
	say("D01", "first", "opened 80/tcp to the first", detect.StageOutbound, far("198.51.100.1", ""))
	say("D01", "second", "opened 443/tcp to the second", detect.StageOutbound, far("198.51.100.2", ""))
	say("D18", "up", "sent 7.1 MB", detect.StageOutbound, far("198.51.100.3", ""))
	f := b.about("D18", d, detect.StageOutbound, far("198.51.100.3", ""), "up")
	f.Key, f.Title, f.Start = "up", "sent 21.5 MB", f.Start-5*minute
	b.m.Add(f, b.c)
	b.m.Close(b.c.Now, b.c)
	last := b.got[len(b.got)-1]
	if last.Rule.ID != "D42" {
		t.Fatalf("the last word is of %s", last.Rule.ID)
	}
	if want := "P 1.00: way in at 00:00:00, outbound at 00:05:00."; !strings.HasSuffix(last.Message, want) {
		t.Errorf("no %q at the end of %s", want, last.Message)
	}
	var quoted []string
	for _, e := range last.Evidence {
		quoted = append(quoted, e.Summary)
	}
	all := strings.Join(quoted, "\n")
	for _, line := range []string{"00:00:00 D08 login", "00:05:00 D01 opened 80/tcp to the first", "00:10:00 D01 opened 443/tcp to the second", "00:15:00 D18 sent 21.5 MB"} {
		if !strings.Contains(all, line) {
			t.Errorf("no %q in %s", line, all)
		}
	}
	if strings.Contains(all, "7.1 MB") {
		t.Errorf("an earlier title in %s", all)
	}
}

// The title of a chain says who, by whom and how far, within its length.
func TestChainTitle(t *testing.T) {
	long := strings.Repeat("a", 60) + ".example.com"
	for _, c := range []struct {
		key   string
		brief []string // of a login, a scan and an upload
		want  string
	}{
		{"srv-7", []string{"taken over from 203.0.113.66 by ssh", "scans", "sends data to mail.example.com"},
			"srv-7 taken over from 203.0.113.66 by ssh; sends data to mail.example.com, scans"},
		{"srv-legacy-07", []string{"taken over from 203.0.113.66 by ssh", "scans", "sends data to mail.example.com"},
			"srv-legacy-07 taken over from 203.0.113.66 by ssh; sends data to mail.example.com, scans"},
		{"srv-7", []string{"taken over from 203.0.113.66 by ssh after 12 guesses", "scans 254 hosts", ""}, "srv-7 taken over from 203.0.113.66 by ssh after 12 guesses; scans 254 hosts"},
		{"srv-legacy-07", []string{"taken over from 203.0.113.66 by ssh after 12 guesses", "scans 254 hosts", "sends 88 kB to x.example.com"},
			"srv-legacy-07 taken over from 203.0.113.66 by ssh; sends 88 kB to x.example.com, scans"},
		{"srv-7", []string{"", "scans", "sends data to mail.example.com"}, "srv-7 looks taken over; sends data to mail.example.com, scans"},
		{"srv-7", []string{"taken over from 203.0.113.66 by ssh", "scans", "sends data to " + long}, "srv-7 taken over from 203.0.113.66 by ssh; scans"},
		{long, []string{"taken over from " + long + " by ssh", "scans", ""}, ""},
	} {
		b := newBench(t, Config{}, nil)
		d := &device.Device{ID: 1, Key: c.key, IPs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, FirstSeen: begin}
		for i, id := range []string{"D08", "D13", "D18"} {
			f := b.about(id, d, []detect.Stage{detect.StageLogin, detect.StageDiscovery, detect.StageOutbound}[i], far(fmt.Sprint("198.51.100.", i), ""), id)
			f.Brief = c.brief[i]
			b.m.Add(f, b.c)
			b.c.Now += minute
		}
		b.m.Close(b.c.Now, b.c)
		title := b.got[len(b.got)-1].Title
		if c.want != "" && title != c.want || utf8.RuneCountInString(title) > detect.MaxTitle {
			t.Errorf("%q, want %q", title, c.want)
		}
	}
}
