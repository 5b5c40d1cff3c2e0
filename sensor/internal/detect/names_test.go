// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
)

// What a client writes into its hello opens nothing that it did not look up.
func TestContractNames(t *testing.T) {
	const cloud, evil = "cloud.example.com", "relay.example.net"
	reported := func(client, name string) func(w *fixture) {
		return func(w *fixture) {
			w.c.Names.Learn(netip.MustParseAddr(client), netip.MustParseAddr(outside), name, 300, w.c.Now)
		}
	}
	elsewhere := func(w *fixture) {
		w.c.Names.Learn(netip.MustParseAddr(idle), netip.MustParseAddr("192.0.2.1"), "ntp.example.org", 300, w.c.Now)
	}
	all := func(fs ...func(w *fixture)) func(w *fixture) {
		return func(w *fixture) {
			for _, f := range fs {
				f(w)
			}
		}
	}
	names := func(n ...string) *dissect.TLSCertificate { return &dissect.TLSCertificate{DNSNames: n} }
	const high = "high " + web + "/tcp"
	for _, c := range []struct {
		name string
		seen func(w *fixture)
		sni  string
		cert *dissect.TLSCertificate
		want []string
	}{
		{"looked up, no hello", reported(idle, cloud), "", nil, nil},
		{"looked up, the same hello", reported(idle, cloud), "Cloud.Example.com", nil, nil},
		{"looked up, shared with another name", all(reported(idle, cloud), reported(idle, "other.example.org")), cloud, nil, nil},
		{"another name was looked up", reported(idle, evil), cloud, nil, []string{high, high}},
		{"another name was looked up, forged certificate", reported(idle, evil), cloud, names(cloud), []string{high, high}},
		{"looked up, another hello", reported(idle, cloud), evil, nil, []string{high, high}},
		{"somebody else looked it up", all(reported(host, cloud), elsewhere), "", nil, []string{high, high}},
		{"the address was never looked up", elsewhere, cloud, nil, []string{high, high}},
		{"never looked up, but certified", elsewhere, cloud, names("*.example.com"), nil},
		{"certified by itself", elsewhere, cloud, &dissect.TLSCertificate{DNSNames: []string{cloud}, SelfSigned: true}, []string{high, high}},
		{"lookups are not in view", func(*fixture) {}, cloud, nil, nil},
		{"no name at all", func(*fixture) {}, "", nil, []string{high, high}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := declared(t, entry("srv", idle, contract.Silent, contract.Rule{Text: "cloud", Proto: "tcp", Peer: contract.Peer{Name: "*.example.com"}}))
			w.t = t
			c.seen(w)
			v := w.connect(idle, web)
			var app *fingerprint.App
			if c.sni != "" {
				hello := &dissect.TLSClientHello{SNI: c.sni}
				app = app.With(hello)
				w.event(SessionFact, v, app, hello)
			}
			if c.cert != nil {
				app = app.With(c.cert)
				w.event(SessionFact, v, app, c.cert)
			}
			w.event(SessionEnded, v, app, nil)
			w.want("D01", c.want...)
		})
	}
}

// TestContractNamesOfAPoorCapture opens sessions that a contract allows by name, while the capture lacks packets: what tells the name may be
// among them. What contradicts the name counts as always.
func TestContractNamesOfAPoorCapture(t *testing.T) {
	const cloud, evil = "cloud.example.com", "relay.example.net"
	lossy := Quality{RunGapShare: 0.01}
	learn := func(to, name string) func(w *fixture) {
		return func(w *fixture) {
			w.c.Names.Learn(netip.MustParseAddr(idle), netip.MustParseAddr(to), name, 300, w.c.Now)
		}
	}
	ask := func(name string, answered bool) func(w *fixture) {
		return func(w *fixture) {
			learn("192.0.2.1", "ntp.example.org")(w)
			w.c.Names.Ask(netip.MustParseAddr(idle), name, w.c.Now)
			if answered {
				w.c.Names.Answered(netip.MustParseAddr(idle))
			}
		}
	}
	before := learn("192.0.2.1", "ntp.example.org")
	for _, c := range []struct {
		name    string
		quality Quality
		gap     bool
		seen    func(w *fixture)
		sni     string
		cert    *dissect.TLSCertificate
		want    string
	}{
		{"an allowed name that no lookup confirms", lossy, false, before, cloud, nil, "low"},
		{"one direction", Quality{OneWay: true}, false, before, cloud, nil, "low"},
		{"no hello", lossy, false, before, "", nil, "low"},
		{"no hello, a gap in the stream", Quality{}, true, before, "", nil, "low"},
		{"asked, and no answer", Quality{}, false, ask(cloud, false), cloud, nil, "medium"},
		{"asked and answered", Quality{}, false, ask(cloud, true), cloud, nil, "high"},
		{"asked for another name", Quality{}, false, ask(evil, false), cloud, nil, "high"},
		{"a good capture", Quality{}, false, before, cloud, nil, "high"},
		{"another name", lossy, false, before, evil, nil, "high"},
		{"another name was looked up", lossy, false, learn(outside, evil), cloud, nil, "high"},
		{"another certificate", lossy, false, before, cloud, &dissect.TLSCertificate{DNSNames: []string{evil}}, "high"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := declared(t, entry("srv", idle, contract.Silent, contract.Rule{Text: "cloud", Proto: "tcp", Peer: contract.Peer{Name: "*.example.com"}}))
			w.t = t
			w.c.Quality = c.quality
			c.seen(w)
			v := w.connect(idle, web)
			v.Gap = c.gap
			var app *fingerprint.App
			if c.sni != "" {
				hello := &dissect.TLSClientHello{SNI: c.sni}
				app = app.With(hello)
				w.event(SessionFact, v, app, hello)
			}
			if c.cert != nil {
				app = app.With(c.cert)
				w.event(SessionFact, v, app, c.cert)
			}
			w.event(SessionEnded, v, app, nil)
			w.want("D01", c.want+" "+web+"/tcp", c.want+" "+web+"/tcp")
		})
	}
}
