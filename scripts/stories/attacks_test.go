// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// sshResults applies the inference of detections.md to the sessions to a server: failures and success in order of opening.
func sshResults(pkts []pkt, server netip.Addr) (out []string) {
	type state struct{ a, f int }
	states, index := map[flow]*state{}, map[flow]int{}
	for _, k := range pkts {
		if k.tcp == nil || k.wire == 0 {
			continue
		}
		if f := k.flow(); k.dst == server && f.dport == 22 && k.wire == 44 && states[f] == nil {
			states[f], index[f] = &state{}, len(out)
			out = append(out, "")
		}
		s := states[k.flow().back()]
		if k.src != server || s == nil || strings.HasSuffix(out[index[k.flow().back()]], "S") {
			continue
		}
		i := index[k.flow().back()]
		switch {
		case s.a == 0:
			s.a = k.wire
		case k.wire == s.a-16:
			out[i] += "S"
		case s.f == 0:
			s.f = k.wire
		case k.wire == s.f:
			out[i] += "f"
		}
	}
	return out
}

// checkS1 checks that the login can be inferred, and that the relay has the pattern that D11 looks for: bytes out follow bytes in, and SYNs follow payload.
func checkS1(t *testing.T, pkts []pkt) {
	got := sshResults(pkts, ip("10.20.10.17"))
	if want := []string{"fff", "fff", "fff", "fff", "fS"}; !slices.Equal(got, want) {
		t.Errorf("inferred %q, want %q", got, want)
	}
	checkRelay(t, pkts)
}

func checkRelay(t *testing.T, pkts []pkt) {
	srv, far, victim := ip("10.20.10.17"), ip("203.0.113.66"), ip("198.51.100.23")
	var in, out int
	var first, last, lastIn time.Time
	pairs := 0
	for _, k := range pkts {
		if k.tcp == nil || k.at.Before(day(8, 13, 18, 0)) {
			continue
		}
		switch {
		case k.src == far && k.wire > 0:
			lastIn = k.at
			if k.at.Before(day(8, 13, 22, 0)) {
				in += k.wire
			}
		case k.src == srv && k.dst == victim && k.wire > 0:
			out += k.wire
			if first.IsZero() {
				first = k.at
			}
			last = k.at
		case k.src == srv && k.tcp.SYN && !k.tcp.ACK && k.at.Sub(lastIn) <= time.Second:
			pairs++
		}
	}
	if r := float64(out) / float64(in); r < 0.8 || r > 1.25 || out < 50_000 || last.Sub(first) < time.Minute {
		t.Errorf("%d bytes in, %d out in %s", in, out, last.Sub(first))
	}
	if pairs < 7 {
		t.Errorf("%d outbound SYNs within 1 s of inbound payload, want 7", pairs)
	}
}

// checkS2 checks that the platform sends credentials to all twelve cameras within five minutes.
func checkS2(t *testing.T, pkts []pkt) {
	seen := map[netip.Addr]bool{}
	for _, k := range pkts {
		in := k.at.Sub(day(8, 22, 46, 0))
		if k.tcp != nil && k.src == ip("10.20.10.30") && k.tcp.DstPort == 80 && bytes.Contains(k.payload, []byte("Authorization:")) && in >= 0 && in < 5*time.Minute {
			seen[k.dst] = true
		}
	}
	if len(seen) != 12 {
		t.Errorf("credentials to %d cameras", len(seen))
	}
}

// checkS3 checks for 25 failed logins within six minutes, and for the SYNs of the bot.
func checkS3(t *testing.T, pkts []pkt) {
	var fails, syns int
	var first, last time.Time
	for _, k := range pkts {
		if k.tcp == nil {
			continue
		}
		if bytes.Contains(k.payload, []byte("Login incorrect")) {
			fails++
			if first.IsZero() {
				first = k.at
			}
			last = k.at
		}
		a := k.dst.As4()
		if k.src == ip("10.20.30.5") && k.tcp.SYN && k.tcp.Seq == binary.BigEndian.Uint32(a[:]) && len(k.tcp.Options) == 0 {
			syns++
		}
	}
	if fails != 25 || last.Sub(first) > 6*time.Minute {
		t.Errorf("%d failures in %s, want 25 within 6 m", fails, last.Sub(first))
	}
	if syns != 240 {
		t.Errorf("%d Mirai SYNs, want 240", syns)
	}
}

// checkS4 checks that the upload is complete by its headers, although the capture has hardly any payload.
func checkS4(t *testing.T, pkts []pkt) {
	out, in, kept := 0, 0, 0
	for _, k := range pkts {
		switch {
		case k.tcp == nil:
		case k.src == ip("10.20.30.22") && k.dst == ip("203.0.113.45"):
			out += k.wire
			kept += len(k.payload)
		case k.dst == ip("10.20.30.22") && k.src == ip("203.0.113.45"):
			in += k.wire
		}
	}
	if out < 20<<20 || out < 5*in || kept > 10_000 {
		t.Errorf("%d bytes out (%d kept), %d in", out, kept, in)
	}
}

// checkS5 checks that there are visitors, but no login from outside and no new outbound session.
func checkS5(t *testing.T, pkts []pkt) {
	ports := map[uint16]bool{}
	for _, k := range pkts {
		if k.tcp == nil || k.src != ip("192.0.2.50") {
			continue
		}
		if k.tcp.SYN {
			ports[uint16(k.tcp.DstPort)] = true
		}
		if bytes.Contains(k.payload, []byte("Authorization")) {
			t.Errorf("%s: credentials from outside", k.at)
		}
	}
	if !ports[80] || !ports[554] || len(ports) != 2 {
		t.Errorf("ports visited: %v", ports)
	}
}

// TestReadme checks that each README names a device and a time within the capture for every expected rule.
func TestReadmesTellTheirTimes(t *testing.T) {
	for _, name := range storyNames() {
		s := generate(name, 1)
		frames := s.office.Frames()
		for _, e := range s.expects {
			if e.at.Before(frames[0].Time) || e.at.After(frames[len(frames)-1].Time.Add(time.Minute)) {
				t.Errorf("%s: %s at %s is outside the capture", name, e.rule, e.at)
			}
		}
		if (name == "benign") != (len(s.expects) == 0) {
			t.Errorf("%s expects %d alerts", name, len(s.expects))
		}
	}
}
