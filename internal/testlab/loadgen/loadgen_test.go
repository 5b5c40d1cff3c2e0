// SPDX-License-Identifier: Apache-2.0

package loadgen

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/gopacket/pcapgo"

	"stillwatch/internal/testlab/netns"
	"stillwatch/internal/testlab/trace"
	"stillwatch/internal/testneed"
)

// small returns a trace of a few thousand frames.
func small(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trace.Write(f, trace.Config{Kind: trace.Office, Packets: 3000, Sessions: 60, Seconds: 5}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOpen compares the frames with those of another reader.
func TestOpen(t *testing.T) {
	path := small(t)
	got, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; ; n++ {
		want, _, err := r.ReadPacketData()
		if err != nil {
			break
		}
		if !bytes.Equal(want, got.Frames[n]) {
			t.Fatalf("frame %d differs", n)
		}
	}
	if n != len(got.Frames) || n < 2000 {
		t.Errorf("%d frames, want %d", len(got.Frames), n)
	}
}

func TestOpenRefuses(t *testing.T) {
	whole, err := os.ReadFile(small(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"empty": nil, "something else": bytes.Repeat([]byte("x"), 100), "cut": whole[:len(whole)-5]} {
		path := filepath.Join(t.TempDir(), "x.pcap")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if tr, err := Open(path); err == nil && (name != "cut" || len(tr.Frames) > 0) {
			t.Errorf("%s was accepted", name)
		}
	}
}

// TestMeasure lets tcpdump receive frames at a low rate: all frames are sent, and the program's own count is parsed.
func TestMeasure(t *testing.T) {
	if err := netns.Needs(); err != nil {
		testneed.Missing(t, "root", "%v", err)
	}
	tcpdump := testneed.Command(t, "tcpdump")
	tr, err := Open(small(t))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	p := Program{Name: "tcpdump", Command: []string{tcpdump, "-Z", "root", "-ni", netns.SensorPort, "-w", "/dev/null"},
		Ready: "listening on", Taken: Group(`(\d+) packets? captured`)}
	c, err := Measure(t.Context(), p, tr, 5000, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if c.Packets != 5000 || c.Taken == 0 || c.Taken > c.Packets || c.Program == 0 || c.InSend == 0 {
		t.Errorf("%+v", c)
	}
	p.Taken = Group(`(\d+) elephants`)
	if _, err := Measure(t.Context(), p, tr, 1000, 100*time.Millisecond); err == nil {
		t.Error("a program that does not say what it took was accepted")
	}
}

func TestSensor(t *testing.T) {
	text := "{\"msg\":\"listening\",\"received\":5}\n{\"msg\":\"run finished\",\"packets\":90,\"received\":100,\"dropped\":{\"nic\":9,\"queue\":4,\"ring\":2,\"xdp\":1}}\n"
	if n, err := Sensor(text); n != 97 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := Sensor("nothing"); err == nil {
		t.Error("no error")
	}
}
