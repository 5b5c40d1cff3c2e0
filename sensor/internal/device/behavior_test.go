// SPDX-License-Identifier: Apache-2.0

package device

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// deal is one ended session of the host under test, 10.0.0.9.
type deal struct {
	peer      string
	port      uint16
	proto     uint8
	app       string
	serves    bool // the host is the responder
	packets   [2]uint64
	group     bool
	oneWayTap bool
	day       int64
	facts     []dissect.Fact
}

func (x deal) do(r *Registry) *Device {
	k := talk{from: "10.0.0.9", to: x.peer, fromMAC: mac(9), toMAC: mac(8), port: x.port, proto: x.proto, answered: true, ttl: 64, at: 1 + x.day*86400}
	if x.serves {
		k.from, k.to, k.fromMAC, k.toMAC = x.peer, "10.0.0.9", packet.MAC{}, mac(9)
	}
	v := k.view()
	v.ID, v.Group, v.OneDirection = uint64(x.port)+uint64(v.Initiator.Addr[15])<<16, x.group, x.oneWayTap
	if x.packets != [2]uint64{} {
		v.Packets = x.packets
	}
	v.PayloadBytes = [2]uint64{100 * v.Packets[0], 100 * v.Packets[1]}
	opened := *v
	opened.Packets[session.In], opened.State = 0, session.Attempted
	r.Session(Opened, &opened, nil, v.Start)
	app := &fingerprint.App{Name: x.app}
	a, b := r.Session(StateChanged, v, app, v.Start)
	for _, f := range x.facts {
		r.Fact(v, f, session.In, a, b, v.Start)
	}
	r.Session(Ended, v, app, v.Start)
	return r.ByMAC(mac(9))
}

func hasSource(d *Device, source string) bool {
	return slices.ContainsFunc(d.Evidence, func(e Evidence) bool { return e.Source == source })
}

// What a device does is evidence of its role, in whatever order.
func TestBehaviorIsEvidence(t *testing.T) {
	view := []dissect.Fact{&dissect.DeviceAction{Protocol: "dvrip", Kind: dissect.ActionView, Result: dissect.OutcomeSuccess}}
	refused := []dissect.Fact{&dissect.DeviceAction{Protocol: "dvrip", Kind: dissect.ActionView, Result: dissect.OutcomeFailure}}
	views := func(n int, facts []dissect.Fact) (list []deal) {
		for i := range n {
			list = append(list, deal{peer: fmt.Sprint("10.0.1.", i+1), port: 37777, app: "dvrip", facts: facts})
		}
		return list
	}
	clients := func(n int, port uint16, net string) (list []deal) {
		for i := range n {
			list = append(list, deal{peer: fmt.Sprint(net, i+1), port: port, app: "http", serves: true})
		}
		return list
	}
	database := deal{peer: "10.0.0.3", port: 5432, app: "postgresql", serves: true}
	web := deal{peer: "10.0.0.3", port: 80, app: "http", serves: true}
	spread := clients(20, 80, "10.0.2.")
	for i := range spread {
		spread[i].day = int64(i / 4)
	}
	tests := []struct {
		what   string
		deals  []deal
		source string
		want   bool
	}{
		{"streams of three recorders", views(3, view), "pulls_rtsp", true},
		{"streams of two recorders", views(2, view), "pulls_rtsp", false},
		{"three refusals", views(3, refused), "pulls_rtsp", false},
		{"a platform", append(views(3, view), database, web), "platform", true},
		{"a platform without pages", append(views(3, view), database), "platform", false},
		{"a web server with a database", []deal{database, web}, "platform", false},
		{"a mail client", []deal{{peer: "10.0.0.3", port: 143, app: "imap"}}, "uses", true},
		{"a mail server", []deal{{peer: "10.0.0.3", port: 143, app: "imap", serves: true}}, "uses", false},
		{"NetFlow, which has no answer", []deal{{peer: "10.0.0.3", port: 2055, proto: protoUDP, app: "netflow", packets: [2]uint64{9, 0}}}, "uses", true},
		{"a picture goes out", []deal{{peer: "10.0.0.3", port: 9000, proto: protoUDP, app: "rtp", packets: [2]uint64{500, 3}}}, "sends_media", true},
		{"a picture is fetched", []deal{{peer: "10.0.0.3", port: 9000, proto: protoUDP, app: "rtp", serves: true, packets: [2]uint64{3, 500}}}, "sends_media", true},
		{"a picture comes in", []deal{{peer: "10.0.0.3", port: 9000, proto: protoUDP, app: "rtp", packets: [2]uint64{3, 500}}}, "sends_media", false},
		{"a call", []deal{{peer: "10.0.0.3", port: 9000, proto: protoUDP, app: "rtp", packets: [2]uint64{500, 450}}}, "sends_media", false},
		{"a mirror of one direction", []deal{{peer: "10.0.0.3", port: 9000, proto: protoUDP, app: "rtp", packets: [2]uint64{500, 0}, oneWayTap: true}}, "sends_media", false},
		{"many clients", clients(30, 80, "10.0.2."), "many_clients", true},
		{"few clients", clients(8, 80, "10.0.2."), "many_clients", false},
		{"many clients in five days", spread, "many_clients", false},
		{"many external clients", clients(30, 80, "198.51.100."), "many_clients", false},
		{"one client, many sessions", append(clients(1, 80, "10.0.2."), clients(1, 81, "10.0.2.")...), "many_clients", false},
	}
	for _, tt := range tests {
		var first *Device
		for _, reversed := range []bool{false, true} {
			deals, r := slices.Clone(tt.deals), New(Config{})
			if reversed && tt.deals[len(tt.deals)-1].day == 0 {
				slices.Reverse(deals)
			}
			var d *Device
			for _, x := range deals {
				d = x.do(r)
			}
			if d == nil || hasSource(d, tt.source) != tt.want {
				t.Errorf("%s, reversed %v: %v", tt.what, reversed, d.Evidence)
				continue
			}
			if first == nil {
				first = d
			} else if d.Role != first.Role || d.Level != first.Level || d.Probability != first.Probability {
				t.Errorf("%s: %v %v, in the other order %v %v", tt.what, first.Role, first.Probability, d.Role, d.Probability)
			}
		}
	}
}

// A recorder that takes streams by a protocol of its vendor is known by that.
func TestRecorderByItsStreams(t *testing.T) {
	r := New(Config{})
	var d *Device
	for i := range 4 {
		d = deal{peer: fmt.Sprint("10.0.1.", i+1), port: 37777, app: "dvrip",
			facts: []dissect.Fact{&dissect.DeviceAction{Protocol: "dvrip", Kind: dissect.ActionView, Result: dissect.OutcomeSuccess}}}.do(r)
	}
	if d.Role != NVR || d.Level < Hint {
		t.Errorf("%v %v %v", d.Role, d.Level, d.Evidence)
	}
}

func TestRoutersGreetEachOther(t *testing.T) {
	for _, c := range []struct {
		proto, ttl uint8
		to, want   string
	}{
		{89, 1, "224.0.0.5", "ospf"}, {89, 1, "224.0.0.6", "ospf"}, {89, 64, "224.0.0.5", ""}, {89, 1, "10.0.0.1", ""},
		{88, 2, "224.0.0.10", "eigrp"}, {103, 1, "224.0.0.13", "pim"}, {112, 255, "224.0.0.18", "vrrp"}, {112, 1, "224.0.0.18", ""},
		{2, 1, "224.0.0.22", ""}, {89, 1, "ff02::5", ""},
	} {
		v := session.View{Proto: c.proto, Group: true, Packets: [2]uint64{1, 0}, Initiator: session.Endpoint{Addr: ip("10.0.0.1"), MAC: packet.MAC{0x90, 1, 2, 0, 0, 1}, TTL: c.ttl},
			Responder: session.Endpoint{Addr: ip(c.to)}}
		if got := routingHello(&v); got != c.want {
			t.Errorf("protocol %d to %s with TTL %d: %q, want %q", c.proto, c.to, c.ttl, got, c.want)
		}
		r := New(Config{})
		d, _ := r.Session(Opened, &v, nil, 1e9)
		if d == nil || (d.Role == NetworkGear) != (c.want != "" && c.want != "vrrp") {
			t.Errorf("protocol %d to %s with TTL %d: %+v", c.proto, c.to, c.ttl, d)
		}
	}
}

// A device to which several others keep sessions in a protocol of things is a hub, or its broker.
func TestHubByTheDevicesBehindIt(t *testing.T) {
	hub := func(d *Device) bool {
		return slices.ContainsFunc(d.Evidence, func(e Evidence) bool { return e.Source == "many_clients" && strings.HasPrefix(e.Value, "hub") })
	}
	for _, c := range []struct {
		what   string
		app    string
		serves bool
		net    string
		n      int
		want   bool
	}{
		{"three devices by MQTT", "mqtt", true, "10.0.2.", 3, true},
		{"three devices by CoAP", "coap", true, "10.0.2.", 3, true},
		{"two devices", "mqtt", true, "10.0.2.", 2, false},
		{"three browsers", "http", true, "10.0.2.", 3, false},
		{"devices outside", "mqtt", true, "198.51.100.", 3, false},
		{"a client of three brokers", "mqtt", false, "10.0.2.", 3, false},
	} {
		r := New(Config{})
		var d *Device
		for i := range c.n {
			d = deal{peer: fmt.Sprint(c.net, 10*i+1), port: 1883, app: c.app, serves: c.serves}.do(r)
		}
		if got := hub(d); got != c.want {
			t.Errorf("%s: hub %v, want %v (%+v)", c.what, got, c.want, d.Evidence)
		}
	}
}
