// SPDX-License-Identifier: Apache-2.0

package device

import (
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

func near(a, b float64) bool { return math.Abs(a-b) < 0.005 }

// The example of docs/devices.md, step by step. Package evidence checks its decibans.
func TestWorkedExample(t *testing.T) {
	r := New(Config{})
	d, _ := play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), answered: true})

	// MAC of Axis: camera -7 (base rate) + 15 = 8 dB.
	if d.Role != Camera || d.Level != Hint || d.Vendor != "Axis" || !near(d.Probability, 0.747) {
		t.Errorf("MAC alone: %v %v %.3f %q", d.Role, d.Level, d.Probability, d.Vendor)
	}

	// Option 60 names a camera: one group with the MAC, 35 + 0.3*15 = 39.5, but forgeable without an answer: capped at 20.
	dhcp := &dissect.DHCPMessage{Type: "request", ClientMAC: mac(1), VendorClass: "AXIS,Network Camera,P3225-LV,9.80.1"}
	r.Fact(talk{from: "0.0.0.0", to: "255.255.255.255"}.view(), dhcp, session.Out, d, nil, 0)
	if d.Role != Camera || d.Level != Probable || d.Model != "P3225-LV" || !near(d.Probability, 0.903) {
		t.Errorf("with option 60: %v %v %.4f %q", d.Role, d.Level, d.Probability, d.Model)
	}

	// It answers a request with its realm: an interactive proof, which lifts the cap and counts as a group of its own.
	v := talk{from: "10.0.0.2", to: "10.0.0.1", port: 80}.view()
	r.Fact(v, &dissect.HTTPExchange{Status: 401, URI: "/", Realm: "AXIS_00408C000001"}, session.In, nil, d, 0)
	if d.Role != Camera || d.Level != Identified || d.Probability < 0.9999 {
		t.Errorf("with a realm: %v %v %.6f", d.Role, d.Level, d.Probability)
	}
	if d.Evidence[0].Source != "dhcp_vendor_class" || d.Evidence[0].Points != 35 || !strings.Contains(d.Evidence[0].Says, "role=camera +35") {
		t.Errorf("strongest evidence: %+v", d.Evidence[0])
	}
}

// Evidence for two roles makes neither certain.
func TestContradiction(t *testing.T) {
	r := New(Config{})
	_, d := play(r, talk{from: "10.0.0.2", to: "10.0.0.1", fromMAC: mac(2), toMAC: packet.MAC{0x24, 0x0a, 0xc4, 1, 1, 1}, port: 80, answered: true})
	v := talk{from: "10.0.0.2", to: "10.0.0.1", port: 80}.view()
	r.Fact(v, &dissect.HTTPExchange{Status: 200, Server: "VIVOTEK Network Camera"}, session.In, nil, d, 0)
	if d.Role != Camera {
		t.Fatalf("%v %v", d.Role, d.Level)
	}
	r.Fact(v, &dissect.HTTPExchange{Status: 200, Server: "HP HTTP Server; HP LaserJet M402; X"}, session.In, nil, d, 0)
	if d.Level > Hint {
		t.Errorf("%v %v %.3f", d.Role, d.Level, d.Probability)
	}
}

// Banners, and the role, level, vendor and model that must follow.
func TestBanners(t *testing.T) {
	http := func(f dissect.HTTPExchange) dissect.Fact { f.Status = 200; return &f }
	tests := []struct {
		what  string
		facts []dissect.Fact // read from what the device answers
		role  Role
		level Level
		want  string // "vendor/model"
	}{
		{"one banner", []dissect.Fact{http(dissect.HTTPExchange{Realm: "DCS-935L"})}, Camera, Probable, "D-Link/DCS-935L"},
		{"Hikvision recorder or camera", []dissect.Fact{http(dissect.HTTPExchange{Server: "App-webs/"})}, Camera, Hint, "Hikvision/"},
		{"printer", []dissect.Fact{http(dissect.HTTPExchange{Server: "HP HTTP Server; HP OfficeJet Pro 8610 - A7F64A; Serial"})}, Printer, Probable, "HP/OfficeJet Pro 8610 - A7F64A"},
		{"router", []dissect.Fact{&dissect.SSHBanner{Server: true, Line: "SSH-2.0-ROSSSH"}}, NetworkGear, Probable, "MikroTik/"},
		{"a plain OpenSSH is no server yet", []dissect.Fact{&dissect.SSHBanner{Server: true, Line: "SSH-2.0-OpenSSH_9.6"}}, Unknown, LevelUnknown, "/"},
		{"platform", []dissect.Fact{http(dissect.HTTPExchange{Title: "HikCentral Professional"})}, VMS, Hint, "Hikvision/"},
		{"a web server", []dissect.Fact{http(dissect.HTTPExchange{Server: "nginx/1.24"})}, Unknown, LevelUnknown, "/"},
	}
	for _, tt := range tests {
		r := New(Config{})
		_, d := play(r, talk{from: "10.0.0.2", to: "10.0.0.1", answered: true})
		for _, f := range tt.facts {
			r.Fact(talk{from: "10.0.0.2", to: "10.0.0.1", port: 80}.view(), f, session.In, nil, d, 0)
		}
		if d.Role != tt.role || d.Level != tt.level || d.Vendor+"/"+d.Model != tt.want {
			t.Errorf("%s: %v %v %.3f %s/%s", tt.what, d.Role, d.Level, d.Probability, d.Vendor, d.Model)
		}
	}
}

func TestPullingStreamsMakesARecorder(t *testing.T) {
	r := New(Config{})
	var d *Device
	for i := range 3 {
		k := talk{from: "10.0.0.1", to: fmt.Sprintf("10.0.1.%d", i+1), fromMAC: packet.MAC{0x24, 0x0a, 0xc4, 1, 1, 1}, toMAC: mac(byte(i + 20)), port: 554, answered: true}
		a, b := play(r, k)
		r.Fact(k.view(), &dissect.RTSPExchange{Method: "PLAY", Status: 200}, session.In, a, b, 0)
		d = a
	}
	if d.Role != NVR || d.Level > Hint {
		t.Errorf("%v %v", d.Role, d.Level)
	}
}

func TestManyNamesAreNoCamera(t *testing.T) {
	r := New(Config{})
	d, _ := play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: packet.MAC{0x24, 0x0a, 0xc4, 1, 1, 1}})
	v := talk{from: "10.0.0.1", to: "10.0.0.2", proto: 17, port: 53}.view()
	for i := range 200 {
		r.Fact(v, &dissect.DNSMessage{QName: fmt.Sprintf("www.site%d.com", i), QType: "A"}, session.Out, d, nil, 0)
	}
	r.Fact(v, &dissect.DNSMessage{QName: "fw.ring.com", QType: "A"}, session.Out, d, nil, 0)
	if d.Role == Camera || d.Role == IoT {
		t.Errorf("a phone with a camera's app is a %v", d.Role)
	}
}

// The names that the apps on a phone look up are those of other devices: they make it no camera, hub or plug, and give it no vendor or model.
func TestAppsOnAPhone(t *testing.T) {
	r := New(Config{})
	d, _ := play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: packet.MAC{0x26, 0x0a, 0xc4, 1, 1, 1}})
	v := talk{from: "10.0.0.1", to: "10.0.0.2", proto: 17, port: 53}.view()
	r.Fact(v, &dissect.HTTPExchange{UserAgent: "Dalvik/2.1.0 (Linux; Android 13; Mobile)"}, session.Out, d, nil, 0)
	for _, name := range []string{"icomen.yunext.com", "api.xbcs.net", "api.meethue.com", "us.xiaoyi.com", "a1b2.iot.us-west-2.amazonaws.com", "x.iot-as-mqtt.cn-shanghai.aliyuncs.com", "mtalk.google.com"} {
		r.Fact(v, &dissect.DNSMessage{QName: name, QType: "A"}, session.Out, d, nil, 0)
	}
	if d.Role != Phone || d.Vendor != "" || d.Model != "" {
		t.Errorf("%v %v %.3f of %q, model %q", d.Role, d.Level, d.Probability, d.Vendor, d.Model)
	}
}

// Modules and cloud names that vendors share, and what they still tell.
func TestModules(t *testing.T) {
	for _, tt := range []struct {
		mac            packet.MAC
		hostname, name string
		role           Role
		vendor, model  string
	}{
		{packet.MAC{0xac, 0xcf, 0x23, 1, 1, 1}, "HF-LPB100", "", Unknown, "", ""},
		{packet.MAC{0xac, 0xcf, 0x23, 1, 1, 1}, "HF-LPB100", "icomen.yunext.com", IoTHub, "", "ICOMEN Gateway"},
		{noBrand, "ESP_07AEFB", "", IoT, "", ""},
		{noBrand, "ESP-EB59C4", "plug.sciener.cn", IoTHub, "TTLock (Sciener)", ""},
		{noBrand, "ESP_07AEFB", "a1b2.iot.eu-west-1.amazonaws.com", IoT, "", ""},
		{noBrand, "", "api.dch.dlink.com", Unknown, "D-Link", ""},
		{noBrand, "kami-home-1", "", Camera, "Yi", ""},
	} {
		r := New(Config{})
		d, _ := play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: tt.mac})
		v := talk{from: "10.0.0.1", to: "10.0.0.2", proto: 17, port: 53}.view()
		r.Fact(v, &dissect.DHCPMessage{Type: "request", ClientMAC: tt.mac, Hostname: tt.hostname}, session.Out, d, nil, 0)
		r.Fact(v, &dissect.DNSMessage{QName: tt.name, QType: "A"}, session.Out, d, nil, 0)
		if d.Role != tt.role || d.Vendor != tt.vendor || d.Model != tt.model {
			t.Errorf("%s, %s: %v %v %.3f %q %q", tt.hostname, tt.name, d.Role, d.Level, d.Probability, d.Vendor, d.Model)
		}
	}
}

// A device that announces endlessly is bounded.
func TestEvidenceIsBounded(t *testing.T) {
	r := New(Config{})
	d, _ := play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1)})
	v := talk{from: "10.0.0.1", to: "224.0.0.251", proto: 17, port: 5353}.view()
	for i := range 5000 {
		f := &dissect.ServiceAnnouncement{Service: "_ipp._tcp", Instance: fmt.Sprint(i), Host: fmt.Sprintf("h%d.local", i),
			TXT: map[string]string{"ty": fmt.Sprint("model ", i), "mfg": fmt.Sprint("vendor ", i)}}
		r.Fact(v, f, session.Out, d, nil, int64(i))
		k := talk{from: "10.0.0.2", to: "10.0.0.1", fromMAC: mac(2), toMAC: mac(1), port: uint16(i + 1), answered: true}
		play(r, k)
	}
	if len(d.claims) > evidence.MaxClaims || len(d.Evidence) > MaxEvidence || len(d.Hostnames) > MaxHostnames || len(d.Serves) > MaxServes {
		t.Errorf("%d claims, %d evidence, %d names, %d ports", len(d.claims), len(d.Evidence), len(d.Hostnames), len(d.Serves))
	}
	if r.Stats().ClaimsRefused == 0 {
		t.Error("nothing was counted")
	}
}

// 100 thousand devices with names, ports and evidence fit into 250 MB.
func TestMemoryOfDevices(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := New(Config{})
	for i := range uint32(100_000) {
		m := packet.MAC{0, 0x40, 0x8c, byte(i >> 16), byte(i >> 8), byte(i)}
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()
		k := talk{from: "10.255.0.1", to: a, fromMAC: packet.MAC{0, 1, 2, 3, 4, 5}, toMAC: m, port: 80, answered: true}
		_, d := play(r, k)
		r.Fact(k.view(), &dissect.HTTPExchange{Status: 401, Realm: "AXIS_00408C000001", Server: "Apache"}, session.In, nil, d, 0)
		r.Fact(k.view(), &dissect.DHCPMessage{Type: "request", ClientMAC: m, Hostname: fmt.Sprintf("cam-%d", i), VendorClass: "AXIS,Network Camera,P3225,9"}, session.Out, d, nil, 0)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	mb := float64(after.HeapAlloc-before.HeapAlloc) / 1e6
	t.Logf("%d devices in %.0f MB", r.Stats().Devices, mb)
	if r.Stats().Devices < 100_000 || mb > 250 {
		t.Errorf("%d devices in %.0f MB", r.Stats().Devices, mb)
	}
	runtime.KeepAlive(r)
}

// Texts from the network reach regular expressions and Clean, which must neither panic nor return long values.
func FuzzFacts(f *testing.F) {
	f.Add("AXIS,Network Camera,P3225,9", "HP HTTP Server; HP X; Y", "a.b.c.hik-connect.com", []byte{1, 3, 255})
	f.Add("Mfg=HP;Typ=Printer;Mod=X", "\xff\xfe\x00", strings.Repeat("a.", 200), []byte{})
	mutate.Fuzz(f, func(t *testing.T, a, b, c string, opts []byte) {
		r := New(Config{})
		d, e := play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), answered: true})
		v := talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), port: 80, answered: true}.view()
		for _, x := range []dissect.Fact{
			&dissect.DHCPMessage{Type: "request", ClientMAC: mac(1), Hostname: a, VendorClass: b, MUDURL: c, ParamList: opts},
			&dissect.HTTPExchange{Status: 200, Server: a, Realm: b, Title: c, URI: a, UserAgent: b, Host: c},
			&dissect.RTSPExchange{Status: 200, Server: a, Realm: b, UserAgent: c},
			&dissect.ServiceAnnouncement{Service: a, Instance: b, Host: c, TXT: map[string]string{a: b, "ty": c, "mfg": a, b: ""}},
			&dissect.DNSMessage{QName: c}, &dissect.TLSClientHello{SNI: c}, &dissect.TLSCertificate{Subject: b}, &dissect.SSHBanner{Server: true, Line: a},
			&dissect.Banner{Protocol: a, Text: b}, &dissect.DeviceInfo{Protocol: "isapi", Vendor: a, Class: b, Model: c, Firmware: a, FirmwareDate: b},
		} {
			r.Fact(v, x, session.In, d, e, 1)
			r.Fact(v, x, session.Out, d, e, 2)
		}
		for _, d := range r.All() {
			for _, ev := range d.Evidence {
				if len(ev.Value) > evidence.MaxValue || strings.ContainsAny(ev.Value, "\x00\n\r") {
					t.Fatalf("value %q", ev.Value)
				}
			}
		}
	})
}
