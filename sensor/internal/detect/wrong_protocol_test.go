// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/session"
)

// A silent device must not hide other protocols behind the ports of DNS and NTP.
func TestWrongProtocolOnInfrastructurePort(t *testing.T) {
	const ssh, ntp = "203.0.113.66:53", "203.0.113.66:123"
	app := func(name string) *fingerprint.App { return (*fingerprint.App)(nil).With(&dissect.AppID{Name: name}) }
	// after returns v in the given state, with the payload that it has carried.
	after := func(v *session.View, s session.State, out, back uint64) *session.View {
		n := *in(v, s)
		n.PayloadBytes = [2]uint64{out, back}
		return &n
	}
	for _, c := range []struct {
		name string
		do   func(w *fixture)
		want []string
	}{
		{"SSH on the port of DNS", func(w *fixture) {
			v := w.connect(idle, ssh)
			w.event(SessionFact, v, app("ssh"), &dissect.AppID{Name: "ssh"})
			w.event(SessionEnded, after(v, session.Closed, 42_000, 9000), app("ssh"), nil)
		}, []string{"high 203.0.113.66:53/tcp", "high 203.0.113.66:53/tcp"}},
		{"nothing known, much carried, on the port of NTP", func(w *fixture) {
			v := w.open(protoUDP, idle, ntp)
			w.event(SessionProgress, after(v, session.Attempted, 4000, 0), nil, nil)
			w.want("D01")
			w.event(SessionProgress, after(v, session.Attempted, 120_000, 0), nil, nil)
			w.event(SessionProgress, after(v, session.Attempted, 180_000, 0), nil, nil)
			w.event(SessionEnded, after(v, session.Attempted, 240_000, 0), nil, nil)
		}, []string{"medium 203.0.113.66:123/udp", "medium 203.0.113.66:123/udp"}},
		{"told at the end when there was no event before", func(w *fixture) {
			w.event(SessionEnded, after(w.open(protoUDP, idle, ntp), session.Established, 3000, 3000), nil, nil)
		}, []string{"high 203.0.113.66:123/udp", "high 203.0.113.66:123/udp"}},
		{"a short stream on the port of DNS that was never a question", func(w *fixture) {
			w.event(SessionEnded, after(w.connect(idle, ssh), session.Closed, 80, 0), nil, nil)
		}, []string{"high 203.0.113.66:53/tcp", "high 203.0.113.66:53/tcp"}},
		{"DNS over TCP", func(w *fixture) {
			v := w.connect(idle, ssh)
			w.event(SessionFact, v, app("dns"), &dissect.AppID{Name: "dns"})
			w.event(SessionEnded, after(v, session.Closed, 42_000, 900_000), app("dns"), nil)
		}, nil},
		{"NTP for weeks", func(w *fixture) {
			v := w.open(protoUDP, idle, ntp)
			w.event(SessionFact, v, app("ntp"), &dissect.AppID{Name: "ntp"})
			w.event(SessionProgress, after(v, session.Established, 90_000, 90_000), app("ntp"), nil)
		}, nil},
		{"a question that could not be read", func(w *fixture) {
			w.event(SessionEnded, after(w.open(protoUDP, idle, ssh), session.Established, 60, 400), nil, nil)
		}, nil},
		{"a probe of the port", func(w *fixture) { w.event(SessionEnded, after(w.connect(idle, ssh), session.Closed, 0, 0), nil, nil) }, nil},
		{"a stream with a gap", func(w *fixture) {
			v := after(w.connect(idle, ssh), session.Closed, 80, 0)
			v.Gap = true
			w.event(SessionEnded, v, nil, nil)
		}, nil},
		{"somebody of whom nothing is expected", func(w *fixture) {
			w.event(SessionEnded, after(w.connect(host, ssh), session.Closed, 42_000, 9000), app("ssh"), nil)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newFixture(t, nil, idle)
			w.t = t
			c.do(w)
			w.want("D01", c.want...)
			if len(c.want) > 0 && w.got[len(w.got)-1].Reasons[0].Code != "disguised" {
				t.Errorf("reasons %+v", w.got[len(w.got)-1].Reasons)
			}
		})
	}
}
