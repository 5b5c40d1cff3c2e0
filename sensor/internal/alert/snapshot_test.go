// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"container/list"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/snapshot/snapshottest"
)

// restartBench is a bench with devices in a registry.
func restartBench(t *testing.T, maxOpen int) (*bench, []snapshot.Part) {
	t.Helper()
	b := newBench(t, Config{MaxOpen: maxOpen, MaxIncidents: 10, PerDevice: 4}, &contract.Inventory{Devices: []contract.Entry{
		{Name: "ten", Match: contract.Match{IP: netip.MustParseAddr("10.0.0.1")}, Owner: "somebody", Criticality: "high"}}})
	b.c.Devices = device.New(device.Config{})
	parts := append(b.c.Devices.Parts(), b.m.Parts(b.c)...)
	return b, parts
}

func (b *bench) device(n int) *device.Device {
	v := &session.View{Start: begin, End: begin, Proto: 6, HasPorts: true, Packets: [2]uint64{1, 0}}
	v.Initiator = session.Endpoint{Addr: packet.AddrFrom4([]byte{10, 0, 0, byte(n)}), MAC: packet.MAC{0, 0x40, 0x8c, 0, 0, byte(n)}}
	v.Responder = session.Endpoint{Addr: packet.AddrFrom4([]byte{10, 0, 0, 250}), MAC: packet.MAC{0, 0x40, 0x8c, 0, 0, 250}}
	d, _ := b.c.Devices.Session(device.Opened, v, nil, begin)
	return d
}

// findSomething adds a finding of some kind; no session lasts from one run into another.
func (b *bench) findSomething(x *rand.Rand, run uint64) {
	ids := []string{"D01", "D08", "D09", "D13", "D07"}
	var d *device.Device
	if x.IntN(8) > 0 {
		d = b.device(1 + x.IntN(6))
	}
	f := b.finding(ids[x.IntN(len(ids))], d, fmt.Sprint("key", x.IntN(3)), detect.Severity(x.IntN(5)))
	f.Stage = detect.Stage(x.IntN(8))
	f.Standing = f.Rule.ID == "D07"
	f.Continues = x.IntN(6) == 0
	f.WindowS = []int64{600, 3600}[x.IntN(2)]
	f.Related, f.Entities = []string{fmt.Sprintf("1:%027d=", x.IntN(9))}, []string{"ip:192.0.2.1"}
	f.Reasons = []detect.Reason{{Code: "why", Text: "because", Weight: 0.25}}
	f.Evidence = []detect.Evidence{{Kind: "login", Summary: "seen", Time: b.c.Now, Data: map[string]any{"bytes": uint64(1) << 60, "list": []string{"a"}, "share": 0.125, "ok": true}}}
	if x.IntN(2) == 0 {
		f.Peer = &detect.Peer{IP: "198.51.100.1", Port: 443, External: true, Name: "c2.example.net", NameSource: "sni", FirstContact: true}
	}
	if x.IntN(3) == 0 {
		f.Peer = &detect.Peer{IP: "10.0.0.3", Device: b.device(3)}
	}
	if x.IntN(2) == 0 {
		f.Session = &session.View{ID: 10*run + x.Uint64N(3), Start: b.c.Now, End: b.c.Now, Proto: 6, HasPorts: true, State: session.State(x.IntN(3)), NumVLANs: 1,
			VLANs: [packet.MaxVLANs]uint16{7}, Tunnels: []packet.Tunnel{{Type: packet.TunnelVXLAN, ID: 5, HasID: true}}}
		f.Session.Initiator = session.Endpoint{Addr: packet.AddrFrom4([]byte{10, 0, 0, 1}), Port: 40000, TTL: 64}
		f.Session.Responder = session.Endpoint{Addr: packet.AddrFrom4([]byte{198, 51, 100, 1}), Port: 443}
		f.App = &fingerprint.App{Name: "tls", Hello: &fingerprint.Hello{SNI: "c2.example.net", ALPN: []string{"h2"}, JA4: "t13d"},
			Cert: &dissect.TLSCertificate{Subject: "CN=x", NotAfter: time.Unix(1800000000, 0).UTC()}, SSH: &fingerprint.SSH{Auth: &dissect.SSHAuth{Result: dissect.OutcomeSuccess}}}
	}
	b.m.Add(f, b.c)
}

func (b *bench) text(t *testing.T) (all []string) {
	for _, a := range b.got {
		a := *a
		a.Device.Evidence = nil // points are those of the day on which they were weighed
		line, err := schemas.AppendAlert(nil, &a)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(line))
	}
	return all
}

// TestRestoredManagerContinues saves and restores a manager, and checks that the restored one emits the same afterwards, byte for
// byte.
func TestRestoredManagerContinues(t *testing.T) {
	for seed := range uint64(60) {
		x := rand.New(rand.NewPCG(seed, 3))
		b, parts := restartBench(t, 40)
		d := snapshottest.Disk{}
		for range 10 + x.IntN(60) {
			b.findSomething(x, 1)
			b.wait(int64(x.IntN(300)) * second)
			if x.IntN(5) == 0 {
				d.Drain(t, parts, 1+x.IntN(3))
			}
		}
		d.Drain(t, parts, 2)
		restored, parts2 := restartBench(t, 40)
		d.Restore(t, parts2)
		restored.c.Devices.Restored()
		restored.c.Now = b.c.Now
		b.got = nil
		y, z := rand.New(rand.NewPCG(seed, 4)), rand.New(rand.NewPCG(seed, 4))
		for range 30 {
			b.findSomething(y, 2)
			restored.findSomething(z, 2)
			step := int64(y.IntN(900)) * second
			z.IntN(900)
			b.wait(step)
			restored.wait(step)
		}
		b.m.Close(b.c.Now, b.c)
		restored.m.Close(restored.c.Now, restored.c)
		got, want := restored.text(t), b.text(t)
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("seed %d, line %d:\n%s\nwant\n%s", seed, i, got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d lines, want %d", seed, len(got), len(want))
		}
		if got, want := restored.m.Standing(b.device(1).Key), b.m.Standing(b.device(1).Key); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
	}
}

// TestReportedAlertsSurviveCrash kills a manager at each revision. A manager restored from the last snapshot and from what was saved
// with the revisions since continues after the last revision of each alert, and raises none a second time.
func TestReportedAlertsSurviveCrash(t *testing.T) {
	for seed := range uint64(40) {
		x := rand.New(rand.NewPCG(seed, 5))
		b, parts := restartBench(t, 1000)
		d, reported := snapshottest.Disk{}, snapshottest.Disk{}
		revisions, open := map[string]int{}, map[string]string{}
		emit := b.m.emit
		b.m.emit = func(a *schemas.Alert) {
			emit(a)
			var batch snapshot.Batch
			b.m.SaveReported(&batch, b.c.Devices)
			reported.Apply(t, &batch)
			revisions[a.ID] = a.Revision
			k := a.Rule.ID + a.Device.Key + a.Dedupe.Key
			open[k] = a.ID
			if a.Action == "close" {
				delete(open, k)
			}
		}
		for i := range 20 + x.IntN(60) {
			b.findSomething(x, 1)
			b.wait(int64(x.IntN(60)) * second)
			if i == 10 {
				d.Drain(t, parts, 100)
				reported = snapshottest.Disk{}
				for part, records := range d {
					reported[part] = map[string][]byte{}
					for k, v := range records {
						reported[part][k] = v
					}
				}
			}
		}
		restored, parts2 := restartBench(t, 1000)
		reported.Restore(t, parts2)
		restored.c.Devices.Restored()
		restored.c.Now = b.c.Now
		for range 60 {
			restored.findSomething(x, 2)
		}
		for _, a := range restored.got {
			k := a.Rule.ID + a.Device.Key + a.Dedupe.Key
			if r := revisions[a.ID]; a.Revision != r+1 {
				t.Fatalf("seed %d: revision %d of %s after %d", seed, a.Revision, k, r)
			}
			if id, ok := open[k]; ok && id != a.ID && restored.m.stats.Evicted == 0 && b.m.stats.Evicted == 0 {
				t.Fatalf("seed %d: %s is raised anew", seed, k)
			}
			if a.Action == "close" { // absorbed
				delete(open, k)
			}
			revisions[a.ID] = a.Revision
		}
	}
}

func TestAlertOutlivesEvictedDevice(t *testing.T) {
	b, parts := restartBench(t, 1000)
	b.m.Add(b.finding("D01", b.device(1), "key", detect.High), b.c)
	d := snapshottest.Disk{}
	d.Drain(t, parts, 100)
	clear(d["devices/7"])
	restored, parts2 := restartBench(t, 1000)
	d.Restore(t, parts2)
	restored.c.Now = b.c.Now
	restored.wait(2 * hour)
	if len(restored.got) != 1 || restored.got[0].Action != "close" || restored.got[0].Device.Key != b.got[0].Device.Key || restored.got[0].ID != b.got[0].ID {
		t.Errorf("%d alerts", len(restored.got))
	}
}

func TestEvidenceDataKeepsNumberTypes(t *testing.T) {
	in := map[string]any{"n": uint64(1)<<63 + 1, "f": 0.1, "s": "x", "list": []any{json.Number("1")}}
	w := snapshot.Writer(nil)
	walkData(w, &in)
	var out map[string]any
	r := snapshot.Reader(w.Bytes())
	walkData(r, &out)
	a, _ := json.Marshal(in)
	b, _ := json.Marshal(out)
	if r.Done() != nil || string(a) != string(b) {
		t.Errorf("%s, want %s", b, a)
	}
}

func FuzzRestore(f *testing.F) {
	seedBench := func(t *testing.T) (*bench, []snapshot.Part) { return restartBench(t, 1000) }
	known := snapshottest.Disk{}
	b := &bench{}
	b.c = &detect.Context{Now: begin, Devices: device.New(device.Config{}), Contracts: contract.New(nil, contract.Config{})}
	b.m = New(Config{}, func(*schemas.Alert) {})
	parts := append(b.c.Devices.Parts(), b.m.Parts(b.c)...)
	x := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		b.findSomething(x, 1)
	}
	known.Drain(f, parts, 100)
	var restored *bench
	snapshottest.Fuzz(f, func() []snapshot.Part {
		var p []snapshot.Part
		restored, p = seedBench(&testing.T{})
		restored.m.emit = func(a *schemas.Alert) { _, _ = schemas.AppendAlert(nil, a) }
		return p
	}, known, func(t *testing.T) {
		for range 10 {
			restored.findSomething(x, 2)
			restored.wait(hour)
		}
		restored.m.Close(restored.c.Now, restored.c)
	})
}

// TestEveryFieldIsSaved checks that the snapshot has every field of open alerts and incidents, except those that are derived on
// restore.
func TestEveryFieldIsSaved(t *testing.T) {
	r := device.New(device.Config{})
	r.Parts()
	how := snapshottest.Instead{
		reflect.TypeFor[*device.Device]():   func(v reflect.Value) { v.Set(reflect.ValueOf(&device.Device{ID: 77})) },
		reflect.TypeFor[*fingerprint.App](): func(v reflect.Value) { v.Set(reflect.ValueOf(&fingerprint.App{Name: "ssh"})) },
		reflect.TypeFor[*list.Element]():    func(reflect.Value) {},
		reflect.TypeFor[*incident]():        func(reflect.Value) {},
		reflect.TypeFor[*open]():            func(reflect.Value) {},
		reflect.TypeFor[[]*open]():          func(reflect.Value) {},
		reflect.TypeFor[*contract.Entry]():  func(reflect.Value) {},
	}
	o := &open{f: &detect.Finding{Session: &session.View{}, Peer: &detect.Peer{}}}
	how[reflect.TypeFor[detect.Rule]()] = func(v reflect.Value) { v.Set(reflect.ValueOf(detect.Rule{ID: "D01"})) }
	got := snapshottest.Forgotten(o, func() []byte {
		c, in := snapshot.Writer(nil), ""
		walkOpen(c, o, &in, r)
		return c.Bytes()
	}, how)
	want := []string{"id", // the key of the record
		"f.Session.ID", "f.Revises", // acted on when the finding came
		"state.entry", "at", "incident", "into", "list", "gone", "mark.place", "mark.kept"}
	if !slices.Equal(got, want) {
		t.Errorf("of an alert %q are forgotten, want %q", got, want)
	}
	in := &incident{}
	got = snapshottest.Forgotten(in, func() []byte {
		c, keys := snapshot.Writer(nil), []string(nil)
		walkIncident(c, in, &keys, r)
		return c.Bytes()
	}, how)
	if want := []string{"id", "alerts", "list", "gone", "mark.place", "mark.kept", "mark.pendingSince"}; !slices.Equal(got, want) {
		t.Errorf("of an incident %q are forgotten, want %q", got, want)
	}
}

// TestCustomRuleIsRestored: the rule of an open alert is saved with it, because the operator may have removed it since.
func TestCustomRuleIsRestored(t *testing.T) {
	want := detect.Rule{ID: "C001", Name: "Old admin host", Kind: "custom_rule", Version: 1, Reliability: 0.7, Attack: []detect.Technique{{Domain: "ics", Technique: "T0886"}}}
	w := snapshot.Writer(nil)
	saved := want
	walkRule(w, &saved)
	r, got := snapshot.Reader(w.Bytes()), detect.Rule{}
	if walkRule(r, &got); r.Done() != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, r.Done(), want)
	}
}
