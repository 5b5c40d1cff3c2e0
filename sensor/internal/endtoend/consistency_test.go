// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/schemas"
)

// consistent replays a capture and checks that no session and no revision of an alert contradicts itself.
func consistent(t *testing.T, args ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sessions")
	r := run1(t, append([]string{"replay", "--log-level", "error", "--sessions", file}, args...)...)
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	for line := range strings.Lines(read(t, file)) {
		var s schemas.Session
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		if x := contradicts(&s); x != "" {
			t.Errorf("%s: %s", x, line)
		}
	}
	checkTruth(t, r.out)
	for line := range strings.Lines(r.out) {
		var a schemas.Alert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		if x := alertContradicts(&a); x != "" {
			t.Errorf("%s: %s", x, line)
		}
	}
}

// contradicts returns a contradiction in the record of a session, "" if there is none.
func contradicts(s *schemas.Session) string {
	out, in := s.PacketsOut, s.PacketsIn
	switch s.State {
	case "established", "closed", "rejected":
		if out == 0 || in == 0 {
			return "an answer needs packets both ways"
		}
	case "attempted", "one_way":
		if out == 0 || s.PayloadBytesIn > 0 || in > 0 && s.Proto != "tcp" {
			return "the responder has not answered"
		}
	}
	switch {
	case out+in == 0:
		return "no packets"
	case out == 0 && (s.IPBytesOut+s.PayloadBytesOut > 0 || s.Initiator.MAC != (schemas.MAC{})):
		return "the initiator was not heard"
	case in == 0 && (s.IPBytesIn+s.PayloadBytesIn > 0 || s.Responder.MAC != (schemas.MAC{})):
		return "the responder was not heard"
	case s.IPBytesOut < s.PayloadBytesOut || s.IPBytesIn < s.PayloadBytesIn:
		return "more payload than bytes"
	case s.End < s.Start:
		return "it ends before it starts"
	case s.InitiatorBasis == "syn" && out == 0 && (s.State == "established" || s.State == "attempted"):
		return "a SYN of an end that was not heard"
	case s.InitiatorBasis == "syn_ack" && in == 0 && s.State != "midstream": // else it continues an expired session
		return "a SYN-ACK of an end that was not heard"
	}
	return ""
}

// alertContradicts returns a contradiction in an alert, "" if there is none.
func alertContradicts(a *schemas.Alert) string {
	s := a.Session
	if s == nil {
		return ""
	}
	if x := contradicts(s); x != "" {
		return x
	}
	answered := s.PacketsIn > 0 && s.State != "attempted" && s.State != "rejected" && s.State != "one_way"
	for _, r := range a.Reasons {
		if r.Code == "answered" && !answered {
			return "the peer did not answer"
		}
	}
	for _, e := range a.Evidence {
		if e.Kind == "session" && !strings.HasPrefix(e.Summary, s.State+",") {
			return "the evidence is of another session"
		}
	}
	if a.Rule.ID == "D01" {
		switch {
		case (a.Severity == "high" || a.Severity == "critical") && !answered && !slices.ContainsFunc(a.Evidence, func(e schemas.AlertEvidence) bool { return e.Kind == "absorbed" }):
			return "high without an answer"
		case s.PacketsOut == 0:
			return "an origination without a packet of the device"
		case a.Device.IP != s.Initiator.IP:
			return "the device did not open the session"
		}
	}
	return ""
}

// TestRecordsDoNotContradictThemselves replays packets that no TCP/IP stack sends.
func TestRecordsDoNotContradictThemselves(t *testing.T) {
	seeds := 15
	if testing.Short() {
		seeds = 5
	}
	for seed := range uint64(seeds) {
		x := rand.New(rand.NewPCG(seed, 2))
		network := networks[[]string{"ipv4", "ipv6", "vlan"}[x.IntN(3)]]
		s := newScript(t, network)
		for range 30 {
			a, b := silentCamera(), []*station{recorder(), outside(443), outside(40000)}[x.IntN(3)]
			a.port = []uint16{80, 8765, 50000 + uint16(x.IntN(3))}[x.IntN(3)]
			if x.IntN(2) == 0 {
				a, b = b, a
			}
			s.strange(x, a, b)
		}
		consistent(t, "--silent", silentMAC, "--silent", s.addr(silentAddr).String(), write(t, s.n, "a.pcap"))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// strange delivers a session with segments that are lost, repeated, reordered or forged.
func (s *script) strange(x *rand.Rand, a, b *station) {
	a.seq, b.seq = uint32(x.IntN(3))*1000, uint32(x.IntN(3))*7000
	var fs [][]byte
	switch x.IntN(5) {
	case 0:
		for i := range 1 + x.IntN(4) {
			from, to := a, b
			if i > 0 && x.IntN(2) == 0 {
				from, to = b, a
			}
			fs = append(fs, s.datagram(from, to, "data"))
		}
	case 1:
		for range 1 + x.IntN(5) {
			from, to := a, b
			if x.IntN(2) == 0 {
				from, to = b, a
			}
			fs = append(fs, s.segment(from, to, []string{"S", "SA", "A", "R", "RA", "F", "FA", "", "SR"}[x.IntN(9)], ""))
		}
	default:
		fs = s.conversation(a, b, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		for range x.IntN(4) {
			i, k := x.IntN(len(fs)), x.IntN(len(fs))
			switch x.IntN(3) {
			case 0:
				fs = slices.Delete(fs, i, i+1)
			case 1:
				fs = slices.Insert(fs, k, fs[i])
			default:
				fs[i], fs[k] = fs[k], fs[i]
			}
		}
	}
	s.put(fs...)
	s.at = s.at.Add([]time.Duration{0, time.Second, time.Minute, 2 * time.Hour}[x.IntN(4)])
}
