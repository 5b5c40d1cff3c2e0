// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/intel"
	"stillwatch/sensor/internal/session"
)

const (
	listedAddr = "198.51.100.77"
	listedName = "cnc.example.net"
)

// list gives a stage a list of threat intelligence with a date.
func (s *stage) list(t *testing.T, date string) {
	t.Helper()
	dir := t.TempDir()
	text := "# of " + date + "\n" + listedAddr + " Mirai\n" + listedName + "\n" + listedJA3 + "\n" + strings.Repeat("ab", 32) + "\n"
	if err := os.WriteFile(filepath.Join(dir, "bad-hosts.txt"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.c.Intel, err = intel.Load(dir); err != nil {
		t.Fatal(err)
	}
}

// recently is a date shortly before the stages begin.
func recently(s *stage) string { return time.Unix(0, s.c.Now-48*hour).UTC().Format(time.DateOnly) }

// listedHello has the listed JA3.
var listedHello = &dissect.TLSClientHello{Version: 0x0303, Ciphers: []uint16{0xc02f}}

var listedJA3 = (*fingerprint.App)(nil).With(listedHello).Hello.JA3

func TestListedPeerPage(t *testing.T) {
	checkPage(t, "D49", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		s.list(t, recently(s))
		s.connect(silent, listedAddr+":443")
		return s
	})
}

func TestListedPeer(t *testing.T) {
	query := func(from, name string) func(*stage) {
		return func(s *stage) {
			s.event(detect.SessionFact, s.connect(from, "10.20.1.53:53"), &dissect.DNSMessage{QName: name})
		}
	}
	allowed := legacy()
	allowed.Expect = contract.Allowlist
	allowed.Allow = []contract.Rule{{Text: "out tcp to the list", Direction: session.Out, Peer: contract.Peer{Prefix: netip.MustParsePrefix(listedAddr + "/32")}, Proto: "tcp"}}
	for _, c := range []struct {
		name  string
		entry contract.Entry
		date  string
		do    func(*stage)
		want  []string
	}{
		{"a session", legacy(), "", func(s *stage) { s.connect(silent, listedAddr+":443") }, []string{"high calls 198.51.100.77 1"}},
		{"of a device that may open sessions", legacy(), "", func(s *stage) { s.connect(host, listedAddr+":443") }, []string{"high calls 198.51.100.77 1"}},
		{"that is not answered", legacy(), "", func(s *stage) { s.attempt(host, listedAddr+":443") }, []string{"low tries 198.51.100.77 1"}},
		{"of a silent device, not answered", legacy(), "", func(s *stage) { s.attempt(silent, listedAddr+":443") }, []string{"medium tries 198.51.100.77 1"}},
		{"from outside", legacy(), "", func(s *stage) { s.connect(listedAddr, silent+":22") }, []string{"medium serves 198.51.100.77 1"}},
		{"a scan from outside", legacy(), "", func(s *stage) { s.attempt(listedAddr, silent+":22") }, nil},
		{"a session that the inventory allows", allowed, "", func(s *stage) { s.connect(silent, listedAddr+":443") }, nil},
		{"an old list", legacy(), "2025-01-01", func(s *stage) { s.connect(silent, listedAddr+":443") }, []string{"low calls 198.51.100.77 1"}},
		{"a name", legacy(), "", query(host, "a."+listedName), []string{"medium asks a.cnc.example.net 1"}},
		{"another name", legacy(), "", query(host, "example.net"), nil},
		{"another address", legacy(), "", func(s *stage) { s.connect(silent, "198.51.100.78:443") }, nil},
		{"SNI", legacy(), "", func(s *stage) {
			s.event(detect.SessionFact, s.connect(host, "198.51.100.5:443"), &dissect.TLSClientHello{SNI: listedName})
		}, []string{"high calls cnc.example.net 1"}},
		{"JA3", legacy(), "", func(s *stage) { s.event(detect.SessionFact, s.connect(host, "198.51.100.5:443"), listedHello) }, []string{"medium calls " + listedJA3 + " 1"}},
		{"a certificate", legacy(), "", func(s *stage) {
			s.event(detect.SessionFact, s.connect(host, "198.51.100.5:443"), &dissect.TLSCertificate{SHA256: strings.Repeat("ab", 32)})
		}, []string{"high calls " + strings.Repeat("ab", 32) + " 1"}},
		{"eight sessions are told at 1, 2, 4, 8", legacy(), "", func(s *stage) {
			for i := range 8 {
				s.connect(silent, fmt.Sprintf("%s:%d", listedAddr, 4000+i))
			}
		}, []string{"high calls 198.51.100.77 8"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, c.entry)
			date := c.date
			if date == "" {
				date = recently(s)
			}
			s.list(t, date)
			c.do(s)
			s.want(t, "D49", c.want...)
		})
	}
}

// Without lists nothing is reported, and an alert of another rule names the list.
func TestListedPeerInOtherAlerts(t *testing.T) {
	s := newStage(t, legacy())
	s.connect(silent, listedAddr+":443")
	s.want(t, "D49")
	s = newStage(t, legacy())
	s.list(t, recently(s))
	s.connect(silent, listedAddr+":443")
	for _, a := range s.got {
		if a.Rule.ID == "D01" && (a.Peer.ThreatIntel == nil || a.Peer.ThreatIntel.Source != "bad-hosts" || a.Peer.ThreatIntel.Label != "Mirai") {
			t.Errorf("D01 has %+v, want the list", a.Peer.ThreatIntel)
		}
	}
}
