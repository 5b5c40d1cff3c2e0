// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/internal/testlab/planted"
	"stillwatch/internal/testneed"
)

// index finds texts in much memory by their first eight bytes.
type index struct {
	pairs [1 << 16]bool // the first two bytes
	texts map[uint64][][]byte
}

func indexOf(texts [][]byte) *index {
	x := &index{texts: map[uint64][][]byte{}}
	for _, text := range texts {
		first := binary.LittleEndian.Uint64(text)
		x.pairs[uint16(first)] = true
		x.texts[first] = append(x.texts[first], text)
	}
	return x
}

// find calls found with the text around each occurrence.
func (x *index) find(b []byte, found func(around []byte)) {
	for i := 0; i+8 <= len(b); i++ {
		if !x.pairs[uint16(b[i])|uint16(b[i+1])<<8] {
			continue
		}
		for _, text := range x.texts[binary.LittleEndian.Uint64(b[i:])] {
			if bytes.HasPrefix(b[i:], text) {
				found(b[max(i-60, 0):min(i+60, len(b))])
			}
		}
	}
}

// memory calls read with the writable memory of a process, piece by piece. Pieces overlap.
func memory(t *testing.T, pid int, read func(b []byte)) (size int) {
	t.Helper()
	maps := read1(t, fmt.Sprintf("/proc/%d/maps", pid))
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		testneed.Missing(t, testneed.RootNeed, "the memory of a process cannot be read here: %v", err)
	}
	defer f.Close()
	const overlap = 256
	buf := make([]byte, 4<<20)
	for line := range strings.Lines(maps) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		for at := from; at < to; at += int64(len(buf)) - overlap {
			n, err := f.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
			if err != nil && n == 0 {
				break // such as memory of the kernel
			}
			read(buf[:n])
			size += n
		}
	}
	return size
}

func read1(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// withTraffic adds other traffic after the secrets, as much as all buffers of frames and of streams have room for, and then a session that
// raises an alert, by which the test knows that all has been read. It is 20 minutes long, so that all sessions with secrets expire.
func withTraffic(n *netsim.Net, cam *netsim.Host, at time.Time) *netsim.Net {
	desk := n.Host("other", "10.20.30.8", "00:1b:54:00:00:08", netsim.Linux)
	server := n.Host("server", "10.20.30.7", "00:1b:54:00:00:07", netsim.Linux)
	page := []byte(strings.Repeat("nothing to see here. ", 3000))
	for range 400 {
		c := n.Dial(at.Add(3*time.Second), desk, server, 80)
		c.Send([]byte("GET /index.html HTTP/1.1\r\nHost: server\r\nUser-Agent: other\r\n\r\n"))
		c.Reply(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n", len(page)))
		c.Reply(page)
		at = c.Close()
	}
	far := n.External(lastPeer, netsim.Linux, time.Millisecond)
	c := n.DialTLS(at.Add(time.Minute), cam, far, 443, netsim.TLSClient{SNI: "last.example.net"}, netsim.TLSServer{})
	c.Records(netsim.Client, 5000)
	c.Close()
	n.UDP(at.Add(5*time.Minute), desk, 40000, server, 9, []byte("the end"))
	return n
}

const lastPeer = "198.51.100.99"

// TestNoSecretStaysInMemory reads all writable memory of a sensor after secrets have been sent in every known way, and then other traffic. A
// frame stays in the buffers until another one overwrites it: nothing but those buffers may hold a secret for longer. Pairs that an operator has put
// into the default credentials are not there either, unless a server has accepted a proof of their user: then the password was opened.
func TestNoSecretStaysInMemory(t *testing.T) {
	p := planted.New()
	var b bytes.Buffer
	if _, err := withTraffic(planted.Capture(p)).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	pairs := "# Date: 2026-12-01\n# License: ours\nAcme\tlogin\tinstaller\t" + p.New("default password of the operator") + "\nAcme\tclear\tops\t" + p.New("the same, for clear logins") + "\n"
	for name, text := range map[string]string{"credentials.tsv": pairs, "sensor.yaml": "version: 1\nassets: .\n"} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := sensorFor(t, 5*time.Minute, "replay", "--config", at("sensor.yaml"), "--silent", planted.DeviceMAC, "--log-level", "debug", "--alerts", "-", "--sessions", at("sessions"), "--devices", at("devices"),
		"--state", at("state"), "--evidence", at("evidence"), "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	last := make(chan bool, 1)
	go func() {
		seen := false
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadString('\n')
			if !seen && strings.Contains(line, lastPeer) || err != nil && !seen {
				seen = true
				last <- err == nil
			}
			if err != nil {
				return
			}
		}
	}()
	if _, err := in.Write(b.Bytes()); err != nil {
		t.Fatal(err, errs.String())
	}
	select {
	case ok := <-last:
		if !ok {
			t.Fatalf("the sensor ended: %s", errs.String())
		}
	case <-time.After(3 * time.Minute):
		t.Fatal("the last session raised no alert")
	}
	x, found := indexOf(p.Forms()), map[string]string{}
	size := memory(t, cmd.Process.Pid, func(b []byte) {
		x.find(b, func(around []byte) {
			for _, use := range p.Found(around) {
				name, _, _ := strings.Cut(use, ":")
				found[name] = use
			}
		})
	})
	for _, use := range found {
		t.Errorf("in memory: %s", use)
	}
	if size < 10<<20 {
		t.Errorf("%d bytes of memory were read", size)
	}
	t.Logf("%d MiB of memory were read", size>>20)
}
