// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"stillwatch/schemas"
)

// portRecorder writes the frames that arrive at the mirror port to a capture, with the time stamps of the kernel: those that a sensor gets, too.
type portRecorder struct {
	name string
	fd   int
	last time.Time // of the latest frame
	stop atomic.Bool
	done chan error
}

// record starts a recorder.
func (n *segment) record(t *testing.T) *portRecorder {
	t.Helper()
	r := &portRecorder{name: filepath.Join(t.TempDir(), "port.pcap"), done: make(chan error, 1)}
	n.in(t, func() (err error) {
		if r.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		i, err := net.InterfaceByName("span0")
		if err != nil {
			return err
		}
		if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20); err != nil {
			return err
		}
		if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil { // the kernel stamps each frame once, for all sockets
			return err
		}
		if err := unix.SetsockoptTimeval(r.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 500_000}); err != nil {
			return err
		}
		return unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: i.Index}) // ETH_P_ALL, network order
	})
	time.Sleep(200 * time.Millisecond) // the kernel turns time stamps on in the background
	return r
}

// start reads until capture is called and no further frame comes.
func (r *portRecorder) start() {
	go func() {
		f, err := os.Create(r.name)
		if err != nil {
			r.done <- err
			return
		}
		defer f.Close()
		w := pcapgo.NewWriterNanos(f)
		if err := w.WriteFileHeader(1<<16, layers.LinkTypeEthernet); err != nil {
			r.done <- err
			return
		}
		frame, control := make([]byte, 1<<16), make([]byte, 256)
		for {
			n, c, _, _, err := unix.Recvmsg(r.fd, frame, control, 0)
			if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
				if r.stop.Load() {
					break
				}
				continue
			}
			if err != nil {
				r.done <- err
				return
			}
			all, err := unix.ParseSocketControlMessage(control[:c])
			if err != nil || len(all) == 0 || len(all[0].Data) < int(unsafe.Sizeof(unix.Timespec{})) {
				r.done <- err
				return
			}
			at := (*unix.Timespec)(unsafe.Pointer(&all[0].Data[0]))
			r.last = time.Unix(at.Sec, at.Nsec)
			if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: r.last, CaptureLength: n, Length: n}, frame[:n]); err != nil {
				r.done <- err
				return
			}
		}
		r.done <- nil
	}()
}

// capture waits for the end, and returns the name of the capture.
func (r *portRecorder) capture(t *testing.T) string {
	t.Helper()
	r.stop.Store(true)
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(r.fd)
	return r.name
}

// evidenceBefore returns the files of alerts that were decided before a time, by name.
func evidenceBefore(t *testing.T, dir, alerts string, before time.Time) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for line := range strings.Lines(read(t, alerts)) {
		var a schemas.Alert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		for _, e := range a.Evidence {
			if e.PCAP != nil && int64(*e.Time) < before.UnixNano() {
				files[e.PCAP.Name] = []byte(read(t, filepath.Join(dir, e.PCAP.Name)))
			}
		}
	}
	return files
}

// TestEvidenceOfThePort sends an attack to a port, records the frames beside the sensor, and replays them: the files with the packets are the same,
// byte for byte. The records in the spool have the same files. What is decided after the last packet depends on how long the sensor listens.
func TestEvidenceOfThePort(t *testing.T) {
	t.Parallel() // it waits for the speed of the capture
	packets, inventory := acts(t)
	d := deploy(t, 0, nil, "--mode", "afpacket", "--inventory", inventory, "--evidence", "DIR/evidence", "--kafka", "127.0.0.1:1", "--spool", "DIR/spool")
	d.toldUntil(t, "READY=1")
	r := d.record(t)
	r.start()
	d.play(t, packets)
	name := r.capture(t)
	if err := d.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = d.cmd.Wait() // status 1: no broker has taken the records
	live := evidenceBefore(t, filepath.Join(d.dir, "evidence"), filepath.Join(d.dir, "alerts.jsonl"), r.last)
	dir := t.TempDir()
	if x := run1(t, "replay", "--inventory", inventory, "--evidence", filepath.Join(dir, "evidence"), "--alerts", filepath.Join(dir, "alerts"), name); x.status != exitOK {
		t.Fatalf("status %d: %s", x.status, x.err)
	}
	file := evidenceBefore(t, filepath.Join(dir, "evidence"), filepath.Join(dir, "alerts"), r.last)
	if len(file) < 15 || !maps.EqualFunc(live, file, bytes.Equal) {
		t.Errorf("the port gives %d files, and the capture %d:\n%s", len(live), len(file), strings.Join(differences(slices.Sorted(maps.Keys(live)), slices.Sorted(maps.Keys(file))), "\n"))
	}
	var spool []byte
	segments, err := filepath.Glob(filepath.Join(d.dir, "spool", "*.spool"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range segments {
		spool = append(spool, read(t, name)...)
	}
	for name, data := range live {
		record := `"sha256":"` + strings.TrimSuffix(name, ".pcapng") + `","packets"`
		if bytes.Count(spool, []byte(record)) != 1 || !bytes.Contains(spool, []byte(base64.StdEncoding.EncodeToString(data))) {
			t.Errorf("%s is not once in the spool", name)
		}
	}
	t.Logf("%d files of %d packets", len(live), len(packets))
}

// TestEvidenceByXDP checks that a sensor that gets the beginnings of sessions only has evidence, too, and says how many packets there were.
func TestEvidenceByXDP(t *testing.T) {
	t.Parallel() // it waits for the speed of the capture
	packets, inventory := acts(t)
	d := deploy(t, 0, nil, "--mode", "xdp", "--inventory", inventory, "--evidence", "DIR/evidence")
	d.toldUntil(t, "READY=1")
	d.play(t, packets)
	d.end(t)
	files := evidenceBefore(t, filepath.Join(d.dir, "evidence"), filepath.Join(d.dir, "alerts.jsonl"), time.Now())
	if len(files) < 15 {
		t.Errorf("only %d files", len(files))
	}
	counted := 0
	for name, data := range files {
		r, err := pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, _, err := r.ReadPacketData(); err != nil {
			t.Errorf("%s has no packet: %v", name, err)
		}
		if strings.Contains(r.SectionInfo().Comment, "of the session; it had") {
			counted++
		}
	}
	if counted == 0 {
		t.Error("no file says how many packets its session had")
	}
}
