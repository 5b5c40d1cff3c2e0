// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/internal/testneed"
)

// nobodyID is the unprivileged user of every Linux system.
const nobodyID = 65534

// deployment is a sensor that runs at a mirror port under a service manager.
type deployment struct {
	*segment
	dir     string // alerts.jsonl, notify, spool
	cmd     *exec.Cmd
	log     bytes.Buffer
	manager *net.UnixConn
}

// deploy starts the sensor with a folder that the user of id may write; DIR stands for it in args.
func deploy(t *testing.T, id int, attr *syscall.SysProcAttr, args ...string) *deployment {
	t.Helper()
	d := &deployment{segment: newSegment(t)}
	var err error
	if d.dir, err = os.MkdirTemp("", "sw"); err != nil { // the path of a socket is short
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d.dir) })
	if err := os.Chown(d.dir, id, id); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(d.dir, "notify")
	if d.manager, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.manager.Close() })
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	for i := range args {
		args[i] = strings.Replace(args[i], "DIR", d.dir, 1)
	}
	d.cmd = sensorFor(t, 10*time.Minute, append([]string{"run", "--iface", "span0", "--alerts", filepath.Join(d.dir, "alerts.jsonl")}, args...)...)
	d.cmd.Stderr, d.cmd.SysProcAttr = &d.log, attr
	d.cmd.Env = append(d.cmd.Env, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=300000", "HOME=/nonexistent")
	d.in(t, d.cmd.Start)
	t.Cleanup(func() {
		if d.cmd.ProcessState == nil {
			_ = d.cmd.Process.Kill()
			_ = d.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("the sensor printed\n%s", d.log.String())
		}
	})
	return d
}

// told waits for the next message to the service manager.
func (d *deployment) told(t *testing.T) string {
	t.Helper()
	b := make([]byte, 1024)
	if err := d.manager.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	n, err := d.manager.Read(b)
	if err != nil {
		t.Fatalf("no message to the service manager: %v", err)
	}
	return string(b[:n])
}

// toldUntil waits for a message to the service manager that starts with text, and returns it.
func (d *deployment) toldUntil(t *testing.T, text string) string {
	t.Helper()
	for {
		if said := d.told(t); strings.HasPrefix(said, text) {
			return said
		}
	}
}

// end stops the sensor and checks that it ends with status 0.
func (d *deployment) end(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.toldUntil(t, "STOPPING=1")
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// threads checks that no thread of the sensor has a privilege.
func (d *deployment) threads(t *testing.T, user int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", d.cmd.Process.Pid))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d threads, %v", len(files), err)
	}
	want := []string{"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
		fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d", user), fmt.Sprintf("Gid:\t%d\t%[1]d\t%[1]d\t%[1]d", user)}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // ended meanwhile
		}
		for _, line := range want {
			if !strings.Contains(string(b), "\n"+line+"\n") {
				t.Errorf("%s lacks %q", f, line)
			}
		}
	}
}

func framesOf(n *netsim.Net) (all [][]byte) {
	for _, f := range n.Frames() {
		all = append(all, f.Data)
	}
	return all
}

// documentedCapabilities are the capabilities that docs/deploy/privileges.md lists for a mode.
func documentedCapabilities(mode string) []uintptr {
	if mode == "xdp" {
		return []uintptr{unix.CAP_NET_ADMIN, unix.CAP_BPF, unix.CAP_PERFMON}
	}
	return []uintptr{unix.CAP_NET_RAW}
}

// TestRunWithoutRoot starts the sensor as a service manager does: without root, with only the documented capabilities. It must capture, drop
// every privilege, and never send.
func TestRunWithoutRoot(t *testing.T) {
	for _, mode := range []string{"afpacket", "xdp"} {
		t.Run(mode, func(t *testing.T) { runWithoutRoot(t, mode) })
	}
}

func runWithoutRoot(t *testing.T, mode string) {
	if mode == "xdp" {
		if err := features.HaveProgramType(ebpf.XDP); err != nil {
			testneed.Missing(t, testneed.BPFNeed, "no XDP programs: %v", err)
		}
	}
	d := deploy(t, nobodyID, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyID, Gid: nobodyID}, AmbientCaps: documentedCapabilities(mode)},
		"--mode", mode, "--silent", "10.20.10.17", "--listen", "127.0.0.1:9477")
	if said := d.told(t); !strings.HasPrefix(said, "READY=1\nSTATUS=capturing at span0 with "+mode) || !strings.HasSuffix(said, ", inventory none") {
		t.Errorf("the first message to the service manager is %q", said)
	}
	frames := framesOf(sample(t))
	d.send(t, frames)
	waitUntil(t, "an alert", func() bool {
		b, err := os.ReadFile(filepath.Join(d.dir, "alerts.jsonl"))
		return err == nil && bytes.Contains(b, []byte(`"D01"`))
	})
	d.threads(t, nobodyID)
	if m := d.metrics(t); !strings.Contains(m, `stillwatch_sensor_protection_active{protection="seccomp"} 1`) || !strings.Contains(m, "process_resident_memory_bytes") {
		t.Errorf("the metrics lack the protections, or what the program reads of itself:\n%s", m)
	}
	for range 3 {
		d.toldUntil(t, "WATCHDOG=1")
	}
	d.end(t)
	if c := d.counters(t, "span0"); c.TX.Packets != 0 || c.RX.Packets < uint64(len(frames)) {
		t.Errorf("the mirror port sent %d frames and received %d of %d", c.TX.Packets, c.RX.Packets, len(frames))
	}
}

// get requests a page of the sensor from within its namespace.
func (d *deployment) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	var c net.Conn
	d.in(t, func() (err error) {
		c, err = net.Dial("tcp", "127.0.0.1:9477")
		return err
	})
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}}
	res, err := client.Get("http://sensor" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func (d *deployment) metrics(t *testing.T) string {
	t.Helper()
	_, body := d.get(t, "/metrics")
	return body
}

// healthy checks /healthz and waits until /readyz reports that the sensor is ready.
func (d *deployment) healthy(t *testing.T) {
	t.Helper()
	if status, body := d.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: status %d: %s", status, body)
	}
	waitUntil(t, "/readyz", func() bool {
		status, _ := d.get(t, "/readyz")
		return status == http.StatusOK
	})
}

// TestRunAsUser starts as root and switches to a user, whose spool keeps the alerts while no broker runs.
func TestRunAsUser(t *testing.T) {
	d := deploy(t, nobodyID, nil, "--mode", "afpacket", "--silent", "10.20.10.17", "--user", "nobody", "--kafka", "127.0.0.1:1", "--spool", "DIR/spool")
	d.toldUntil(t, "READY=1")
	d.send(t, framesOf(sample(t)))
	var size int64
	waitUntil(t, "records in the spool", func() bool {
		size = 0
		all, _ := filepath.Glob(filepath.Join(d.dir, "spool", "*"))
		for _, name := range all {
			info, err := os.Stat(name)
			if err != nil {
				continue
			}
			size += info.Size()
			if owner := info.Sys().(*syscall.Stat_t).Uid; owner != nobodyID {
				t.Fatalf("%s belongs to user %d", name, owner)
			}
		}
		return size > 1000
	})
	d.threads(t, nobodyID)
}

func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	waitFor(t, 2*time.Minute, what, is)
}

func waitFor(t *testing.T, long time.Duration, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(long); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// TestUnitGivesTheDocumentedCapabilities checks the systemd unit against the capabilities and notifications of the sensor.
func TestUnitGivesTheDocumentedCapabilities(t *testing.T) {
	unit := read(t, filepath.Join(testneed.Root(t), "docs", "deploy", "stillwatch-sensor.service"))
	const all = "CAP_NET_RAW CAP_NET_ADMIN CAP_BPF CAP_PERFMON"
	for _, line := range []string{"AmbientCapabilities=" + all, "CapabilityBoundingSet=" + all, "NoNewPrivileges=yes", "Type=notify", "User=stillwatch",
		"ExecReload=/bin/kill -HUP $MAINPID", "ExecStart=/usr/local/bin/stillwatch-sensor run --iface ${STILLWATCH_IFACE} --wait-iface $STILLWATCH_OPTIONS", "TimeoutStartSec=infinity"} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
	if !regexp.MustCompile(`(?m)^WatchdogSec=\d+$`).MatchString(unit) {
		t.Error("the unit has no watchdog")
	}
	page := read(t, filepath.Join(testneed.Root(t), "docs", "deploy", "privileges.md"))
	for _, c := range strings.Fields(all) {
		if !strings.Contains(page, "`"+c+"`") {
			t.Errorf("docs/deploy/privileges.md does not name %s", c)
		}
	}
	for _, m := range regexp.MustCompile("`(CAP_[A-Z_]+)`").FindAllStringSubmatch(page, -1) {
		if !slices.Contains(strings.Fields(all), m[1]) {
			t.Errorf("docs/deploy/privileges.md names %s, which the unit does not give", m[1])
		}
	}
}
