// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reframe writes a capture with each frame changed by f.
func reframe(t *testing.T, raw []byte, f func(frame []byte) []byte) string {
	t.Helper()
	order := pcapOrder(raw)
	out := slices.Clone(raw[:24])
	for at := 24; at+16 <= len(raw); {
		n := int(order.Uint32(raw[at+8:]))
		frame := f(raw[at+16 : at+16+n])
		out = append(out, raw[at:at+8]...)
		for range 2 {
			out = append(out, 0, 0, 0, 0)
			order.PutUint32(out[len(out)-4:], uint32(len(frame)))
		}
		out = append(out, frame...)
		at += 16 + n
	}
	path := filepath.Join(t.TempDir(), "mirror.pcap")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// inGRE encapsulates a payload in a GRE packet from a switch to the sensor.
func inGRE(etherType uint16, header, frame []byte) []byte {
	b := slices.Concat([]byte("\x00\x1b\x54\x00\x00\xbb\x00\x1b\x54\x00\x00\xaa\x08\x00\x45\x00\x00\x00\x00\x01\x00\x00\x40\x2f\x00\x00"),
		[]byte{192, 0, 2, 1, 192, 0, 2, 9}, []byte{0x10, 0, byte(etherType >> 8), byte(etherType), 0, 0, 0, 1}, header, frame)
	binary.BigEndian.PutUint16(b[16:], uint16(len(b)-14))
	return b
}

// taggedFrame puts a tag between the addresses and the EtherType.
func taggedFrame(frame, tag []byte) []byte { return slices.Concat(frame[:12], tag, frame[12:]) }

// TestMirrorsOfFabrics adds the headers of a fabric to mirrored frames, in one direction or both: no session changes, and the VLAN of an ERSPAN
// header is recorded.
func TestMirrorsOfFabrics(t *testing.T) {
	raw := []byte(read(t, write(t, sample(t), "plain.pcap")))
	ttag, erspan2 := []byte("\x89\x88\x12\x34\x00\x00\x01\x02"), []byte("\x10\x64\x00\x05\x00\x00\x00\x00")
	fromServer := func(frame []byte) bool { return string(frame[6:12]) == "\xb8\xca\x3a\x00\x00\x17" }
	plain := fabricSessions(t, reframe(t, raw, func(f []byte) []byte { return f }))
	if len(plain) < 2 {
		t.Fatalf("%d sessions", len(plain))
	}
	for name, x := range map[string]struct {
		wrap func([]byte) []byte
		vlan bool
	}{
		"timestamp tags in one direction": {func(f []byte) []byte {
			if fromServer(f) {
				f = taggedFrame(f, ttag)
			}
			return inGRE(0x88be, erspan2, f)
		}, true},
		"timestamp tags in the other direction, no tunnel": {func(f []byte) []byte {
			if !fromServer(f) {
				f = taggedFrame(f, ttag)
			}
			return f
		}, false},
		"FabricPath": {func(f []byte) []byte {
			return slices.Concat([]byte("\x02\x00\x01\x00\x00\x01\x02\x00\x02\x00\x00\x01\x89\x03\x0c\x20"), f)
		}, false},
		"ERSPAN III, VLAN in one direction": {func(f []byte) []byte {
			header := []byte("\x20\x00\x00\x07\x00\x00\x04\xd2\x00\x00\x00\x00")
			if fromServer(f) {
				header[1] = 100
			}
			return inGRE(0x22eb, header, f)
		}, true},
		"tags of a switch chip": {func(f []byte) []byte {
			if f[12] == 8 && f[13] == 6 {
				return f
			}
			return taggedFrame(f, []byte{0xc0, 8, 0, 5})
		}, false},
	} {
		got := fabricSessions(t, reframe(t, raw, x.wrap))
		if len(got) != len(plain) {
			t.Errorf("%s: %d sessions, not %d", name, len(got), len(plain))
			continue
		}
		for i, s := range got {
			if without(s) != without(plain[i]) {
				t.Errorf("%s:\n%s\nnot\n%s", name, s, plain[i])
			}
			if strings.Contains(s, `"vlan":100`) != x.vlan {
				t.Errorf("%s: %s", name, s)
			}
		}
	}
}

// fabricSessions returns the TCP sessions of a capture, in the order of their start.
func fabricSessions(t *testing.T, path string) (tcp []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sessions")
	if r := run1(t, "replay", "--alerts", os.DevNull, "--sessions", file, path); r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	for line := range strings.Lines(read(t, file)) {
		if strings.Contains(line, `"proto":"tcp"`) {
			tcp = append(tcp, line)
		}
	}
	slices.Sort(tcp)
	return tcp
}

// without returns a session without its encapsulation.
func without(s string) string {
	before, rest, ok := strings.Cut(s, `"encap":[`)
	if !ok {
		return s
	}
	_, after, _ := strings.Cut(rest, "],")
	return before + after
}
