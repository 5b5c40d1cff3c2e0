// SPDX-License-Identifier: Apache-2.0

package distort

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"stillwatch/internal/testlab/netsim"
)

// web returns a capture of a client that calls a web server.
func web(t *testing.T) *Capture {
	t.Helper()
	n := netsim.New(1)
	client := n.Host("client", "10.20.1.9", "b8:ca:3a:00:00:09", netsim.Linux)
	server := n.Host("server", "10.20.10.17", "b8:ca:3a:00:00:17", netsim.Linux)
	at := n.ARP(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), client, server)
	for range 40 {
		at = n.Dial(at, client, server, 80).HTTP(netsim.Request{Method: "GET", URI: "/"}, netsim.Response{Status: 200}).Close()
	}
	return &Capture{layers.LinkTypeEthernet, n.Frames()}
}

func TestDistortions(t *testing.T) {
	c := web(t)
	n := float64(len(c.Frames))
	requests := 0.0
	for _, f := range c.Frames {
		if p := parse(f); p.NetworkLayer() != nil && p.NetworkLayer().NetworkFlow().Src().String() == "10.20.1.9" {
			requests++
		}
	}
	const arp = 2
	frames := map[string]float64{
		"both ports of a path mirrored": 2 * n, "the same, in the order of two queues": 2 * n, "RSPAN with both VLANs": 2 * n, "VLAN tag in one direction": n,
		"both sides of a router mirrored": 2 * n, "1 % loss": 0.99 * n, "5 % loss": 0.95 * n, "10 % loss": 0.9 * n,
		"requests only": requests + arp, "answers only": n - requests, "1:10 sampling": 0.1 * n,
	}
	for _, d := range All() {
		got := d.Apply(c, 1)
		if want := frames[d.Name]; math.Abs(float64(len(got.Frames))-want) > 0.06*n {
			t.Errorf("%s: %d frames of %v, want about %v", d.Name, len(got.Frames), n, want)
		}
		again := d.Apply(c, 1)
		for i, f := range got.Frames {
			if !bytes.Equal(f.Data, again.Frames[i].Data) || !f.Time.Equal(again.Frames[i].Time) {
				t.Fatalf("%s: another frame %d with the same seed", d.Name, i)
			}
		}
	}
}

func parse(f netsim.Frame) gopacket.Packet {
	return gopacket.NewPacket(f.Data, layers.LayerTypeEthernet, gopacket.Default)
}

func TestFramesOfOtherPorts(t *testing.T) {
	for _, f := range web(t).Frames {
		tagged := parse(tag(300)(tag(200)(f)))
		if q, ok := tagged.Layer(layers.LayerTypeDot1Q).(*layers.Dot1Q); !ok || q.VLANIdentifier != 300 || len(tagged.Data()) != len(f.Data)+4 || tagged.ErrorLayer() != nil {
			t.Fatalf("tagged: %v", tagged)
		}
		was, ok := parse(f).NetworkLayer().(*layers.IPv4)
		if !ok {
			continue
		}
		routed := parse(hop(f))
		is := routed.NetworkLayer().(*layers.IPv4)
		if is.TTL != was.TTL-1 || routed.LinkLayer().LinkFlow() == parse(f).LinkLayer().LinkFlow() || sum(is.Contents) != 0xffff {
			t.Fatalf("routed: TTL %d, checksum %x", is.TTL, sum(is.Contents))
		}
	}
}

// sum returns the Internet checksum of a header that includes its checksum: 0xffff if that is right.
func sum(b []byte) uint32 {
	s := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	return s&0xffff + s>>16
}

func TestReadWhatWasWritten(t *testing.T) {
	c := web(t)
	path := filepath.Join(t.TempDir(), "a.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil || len(got.Frames) != len(c.Frames) {
		t.Fatalf("%v, %d frames", err, len(got.Frames))
	}
	for i, f := range got.Frames {
		if w := c.Frames[i]; !bytes.Equal(f.Data, w.Data) || !f.Time.Equal(w.Time) || f.Len != w.Len {
			t.Fatalf("frame %d is %v, want %v", i, f, w)
		}
	}
}

func TestCompare(t *testing.T) {
	a, b, c := Alert{"D01", "cam", "198.51.100.1"}, Alert{"D06", "cam", "198.51.100.1"}, Alert{"D18", "nvr", ""}
	clean := &Outcome{map[Alert]string{a: "medium", b: "high"}, nil, map[string]Counts{"x": {100, 1000}, "y": {100, 1000}}}
	faulty := &Outcome{map[Alert]string{a: "high", c: "low"}, nil, map[string]Counts{"x": {101, 990}, "z": {3, 30}}}
	d := Compare(clean, faulty)
	if d.Both != 1 || d.Either != 3 || len(d.Raised) != 2 || len(d.NewHigh()) != 1 || d.NewHigh()[0] != (Raise{a, "medium", "high"}) {
		t.Errorf("%+v", d)
	}
	if d.Packets != (Share{1 + 100 + 3, 200}) || d.Bytes != (Share{10 + 1000 + 30, 2000}) {
		t.Errorf("%+v", d)
	}
	if len(d.Missing) != 1 || d.Missing[0] != b || len(d.Extra) != 1 || d.Extra[0] != c {
		t.Errorf("%+v", d)
	}
	if same := Compare(clean, clean); same.Jaccard() != 1 || len(same.Raised) != 0 || same.Packets.Part != 0 {
		t.Errorf("%+v", same)
	}
}
