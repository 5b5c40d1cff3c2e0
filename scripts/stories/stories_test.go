// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

const sizeLimit = 1_760_000

// The files in testdata are what the program makes: nothing in them was edited, and anyone can make them again.
func TestTestdataIsReproduced(t *testing.T) {
	for _, name := range storyNames() {
		files, err := render(name, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			got, err := os.ReadFile(filepath.Join("testdata", name, f.name))
			if err != nil {
				t.Errorf("%v: run go run ./scripts/stories -o scripts/stories/testdata", err)
			} else if !bytes.Equal(got, f.data) {
				t.Errorf("testdata/%s/%s differs from what the program makes", name, f.name)
			}
		}
	}
}

func TestWriteAll(t *testing.T) {
	dir := t.TempDir()
	if err := writeAll(dir, 7); err != nil {
		t.Fatal(err)
	}
	for _, name := range storyNames() {
		for _, f := range []string{"input.pcap", "inventory.yaml", "README.md"} {
			if st, err := os.Stat(filepath.Join(dir, name, f)); err != nil || st.Size() == 0 {
				t.Errorf("%s/%s: %v", name, f, err)
			}
		}
	}
	if err := writeAll(filepath.Join(dir, "S1", "input.pcap"), 7); err == nil {
		t.Error("writing below a file was no error")
	}
}

func TestSeedDecides(t *testing.T) {
	if !bytes.Equal(capture(t, "S3", 5), capture(t, "S3", 5)) {
		t.Error("the same seed gave other bytes")
	}
	if bytes.Equal(capture(t, "S3", 5), capture(t, "S3", 6)) {
		t.Error("another seed gave the same bytes")
	}
}

// TestStories checks that every story can be decoded, keeps its size, uses only documentation addresses, and has complete TCP streams; and that
// its attacks have the properties that the detectors look for.
func TestStories(t *testing.T) {
	own := map[string]func(*testing.T, []pkt){"S1": checkS1, "S2": checkS2, "S3": checkS3, "S4": checkS4, "S5": checkS5, "benign": func(*testing.T, []pkt) {}}
	for _, name := range storyNames() {
		t.Run(name, func(t *testing.T) {
			files, err := render(name, 1)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(files[0].data); n > sizeLimit {
				t.Errorf("%d bytes", n)
			}
			pkts := load(t, files[0].data)
			checkAddresses(t, pkts)
			checkStreams(t, pkts)
			checkInventory(t, files[1].data, pkts)
			if name != "S5" { // it has external visitors all the time
				checkQuiet(t, name, pkts)
			}
			own[name](t, pkts)
		})
	}
}

func TestAnotherSeedIsCleanToo(t *testing.T) {
	pkts := load(t, capture(t, "S3", 99))
	checkAddresses(t, pkts)
	checkStreams(t, pkts)
	checkS3(t, pkts)
}

var allowed = []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("0.0.0.0/32"), netip.MustParsePrefix("255.255.255.255/32")}

// checkAddresses checks that no real address occurs, and that external hosts have the router's MAC.
func checkAddresses(t *testing.T, pkts []pkt) {
	t.Helper()
	for i, k := range pkts {
		if !k.src.IsValid() {
			continue
		}
		for _, a := range []netip.Addr{k.src, k.dst} {
			if !slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(a) }) {
				t.Fatalf("frame %d: address %s", i, a)
			}
		}
		outside := !allowed[0].Contains(k.src) && !k.src.IsUnspecified()
		if fromRouter := k.eth.SrcMAC.String() == "00:1b:54:00:00:01"; outside && !fromRouter {
			t.Fatalf("frame %d: %s from %s", i, k.src, k.eth.SrcMAC)
		}
	}
}

// checkStreams follows the sequence numbers of each direction by the lengths in the headers.
func checkStreams(t *testing.T, pkts []pkt) {
	t.Helper()
	next := map[flow]uint32{}
	for i, k := range pkts {
		if k.tcp == nil || k.tcp.RST {
			continue
		}
		f, seq := k.flow(), k.tcp.Seq
		if k.tcp.SYN {
			next[f] = seq + 1
			continue
		}
		want, ok := next[f]
		if !ok || int32(seq-want) > 0 {
			t.Fatalf("frame %d: %v: sequence number %d, want %d", i, f, seq, want)
		}
		end := seq + uint32(k.wire)
		if k.tcp.FIN {
			end++
		}
		if int32(end-want) > 0 {
			next[f] = end
		}
		if k.tcp.ACK && int32(k.tcp.Ack-next[f.back()]) > 0 {
			t.Fatalf("frame %d: %v acknowledges what was not sent", i, f)
		}
	}
}

// inventoryFile is the part of the inventory format that the stories use.
type inventoryFile struct {
	Version        int
	Networks       map[string][]string
	Zones          map[string][]string
	Infrastructure map[string][]string
	Devices        []struct {
		Name, Expect, Owner, Criticality string
		Match                            map[string]string
		Allow                            []struct {
			Direction, Peer, Proto string
			Port                   int
		}
		Maintenance []struct {
			Days           []string
			From, To, Zone string
		}
	}
}

// checkInventory checks the content of the inventory, and that each of its devices is in the capture.
func checkInventory(t *testing.T, text []byte, pkts []pkt) {
	t.Helper()
	var inv inventoryFile
	if err := yaml.UnmarshalWithOptions(text, &inv, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	macs := map[string]bool{}
	for _, k := range pkts {
		macs[k.eth.SrcMAC.String()] = true
	}
	for _, d := range inv.Devices {
		if !macs[d.Match["mac"]] {
			t.Errorf("%s (%s) sends nothing", d.Name, d.Match["mac"])
		}
	}
	if len(inv.Devices) < 10 {
		t.Errorf("%d devices", len(inv.Devices))
	}
}

// isRequest reports whether a packet opens a session: a SYN, an echo request, or a datagram that is not an answer.
func isRequest(k pkt) bool {
	switch {
	case k.tcp != nil:
		return k.tcp.SYN && !k.tcp.ACK
	case k.icmp != nil:
		return k.icmp.TypeCode.Type() == 8
	case k.udp != nil:
		return k.dst.Is4() && !k.dst.IsMulticast()
	}
	return false
}

// checkQuiet checks that before the attack, and in the whole benign capture, the silent server opens sessions only to
// infrastructure, no external host connects, and the recorder does not contact three cameras within ten minutes.
func checkQuiet(t *testing.T, name string, pkts []pkt) {
	t.Helper()
	end := day(8, 3, 10, 0) // the earliest attack of all stories
	if name == "benign" {
		end = day(days+1, 0, 0, 0)
	}
	var streams []pkt
	for _, k := range pkts {
		if !k.at.Before(end) || !isRequest(k) {
			continue
		}
		if k.src == ip("10.20.10.17") && !slices.Contains([]netip.Addr{ip("10.20.1.1"), ip("10.20.1.53"), ip("10.20.1.123")}, k.dst) {
			t.Errorf("%s: the silent server opens something to %s", k.at, k.dst)
		}
		if !allowed[0].Contains(k.src) && !k.src.IsUnspecified() {
			t.Errorf("%s: %s comes in", k.at, k.src)
		}
		if k.tcp != nil && k.tcp.DstPort == 554 && strings.HasPrefix(k.dst.String(), "10.20.30.") && k.dst != ip("10.20.30.5") {
			streams = append(streams, k)
		}
	}
	for i := 2; i < len(streams); i++ {
		if streams[i].at.Sub(streams[i-2].at) < 10*time.Minute {
			t.Errorf("three streams within ten minutes at %s", streams[i].at)
		}
	}
}

// TestBenign checks that the benign capture is the beginning of S1, packet for packet.
func TestBenignIsTheBackgroundOfS1(t *testing.T) {
	var s1, quiet [][]byte
	for _, f := range generate("S1", 1).office.Frames() {
		s1 = append(s1, binary.BigEndian.AppendUint64(f.Data, uint64(f.Time.UnixNano())))
	}
	for _, f := range generate("benign", 1).office.Frames() {
		quiet = append(quiet, binary.BigEndian.AppendUint64(f.Data, uint64(f.Time.UnixNano())))
	}
	i := 0
	for _, f := range s1 {
		if i < len(quiet) && bytes.Equal(f, quiet[i]) {
			i++
		}
	}
	if i != len(quiet) || len(s1) <= len(quiet) {
		t.Errorf("%d of %d background frames are in S1, in order", i, len(quiet))
	}
}
