// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clusterID is the id that the logs are formatted with.
const clusterID = "c3RpbGx3YXRjaC10ZXN0cw"

// stopTime limits an orderly shutdown of a broker.
const stopTime = 60 * time.Second

// Node is one broker, which is also a controller.
type Node struct {
	ID    int            `json:"id"`
	Ports map[string]int `json:"ports"` // by listener
	c     *Cluster
}

// Address returns the address of a listener.
func (n *Node) Address(listener string) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.Ports[listener]))
}

func (n *Node) dir() string { return filepath.Join(n.c.Dir, fmt.Sprintf("node%d", n.ID)) }

func (n *Node) file(name string) string { return filepath.Join(n.dir(), name) }

// FreePort returns a port that can be bound and is none of those taken. It is below the ephemeral ports, so that no connection of
// another process takes it before a program listens, or while a broker is restarted.
func FreePort(taken ...int) (int, error) {
	for range 1000 {
		p := 15000 + rand.IntN(17000)
		if slices.Contains(taken, p) {
			continue
		}
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err != nil {
			continue
		}
		return p, l.Close()
	}
	return 0, errors.New("no free port was found")
}

func (n *Node) configure() error {
	if err := os.MkdirAll(n.dir(), 0o755); err != nil {
		return err
	}
	return os.WriteFile(n.file("server.properties"), n.properties(), 0o600)
}

// java returns the command of a JVM that starts quickly and uses little memory.
func (n *Node) java(ctx context.Context, class string, args ...string) *exec.Cmd {
	flags := []string{"-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Dlog4j2.configurationFile=" + filepath.Join(n.c.Dir, "log4j2.properties"), "-cp", filepath.Join(n.c.libs, "*"), class}
	if n.c.Options.Fast {
		flags = slices.DeleteFunc(flags, func(f string) bool { return f == "-XX:TieredStopAtLevel=1" || f == "-XX:+UseSerialGC" })
	}
	return exec.CommandContext(ctx, "java", append(flags, args...)...)
}

// format prepares the log folder and the SCRAM users in it.
func (n *Node) format(ctx context.Context) error {
	args := []string{"format", "-t", clusterID, "-c", n.file("server.properties")}
	for _, u := range Users() {
		for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", m, u, Password(u)))
		}
	}
	cmd := n.java(ctx, "kafka.tools.StorageTool", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the log of broker %d: %w\n%s", n.ID, err, out)
	}
	return nil
}

// launch starts the broker in its own session, so that Ctrl-C on the terminal does not reach it.
func (n *Node) launch() error {
	out, err := os.OpenFile(n.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	cmd := n.java(context.Background(), "kafka.Kafka", n.file("server.properties"))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	started := make(chan error, 1)
	go func() {
		if n.c.Options.Bound { // the parent-death signal is sent when the starting thread ends: keep the thread
			runtime.LockOSThread()
			cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
		}
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // so that a zombie does not count as a broker
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	return os.WriteFile(n.file("pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644)
}

// Start starts the broker and waits until it answers.
func (n *Node) Start(ctx context.Context) error {
	if n.Running() {
		return nil
	}
	if err := n.launch(); err != nil {
		return err
	}
	return n.c.ready(ctx, []*Node{n})
}

// PID returns the process id of the broker, 0 if it does not run. It recognizes a process that reuses the id of an
// ended broker.
func (n *Node) PID() int {
	b, err := os.ReadFile(n.file("pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return 0
	}
	// While a process executes another program its command line is empty for a moment, as that of a process that has ended is.
	var line []byte
	for range 20 {
		if line, err = os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err != nil || len(line) > 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err != nil || !bytes.Contains(line, []byte(n.file("server.properties"))) {
		return 0
	}
	return pid
}

// Running reports whether the broker runs.
func (n *Node) Running() bool { return n.PID() != 0 }

func (n *Node) signalStop() {
	if pid := n.PID(); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
}

// Stop shuts the broker down, and kills it after a minute.
func (n *Node) Stop() error {
	n.signalStop()
	if n.ended(stopTime) {
		return nil
	}
	return errors.Join(fmt.Errorf("broker %d did not end within %s", n.ID, stopTime), n.Kill())
}

// ended waits until the broker has ended, and reports whether it has within that time.
func (n *Node) ended(within time.Duration) bool {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if !n.Running() {
			return true
		}
	}
	return !n.Running()
}

// Kill ends the broker with SIGKILL and waits until it has ended.
func (n *Node) Kill() error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		pid := n.PID()
		if pid == 0 {
			return nil
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return fmt.Errorf("broker %d does not die", n.ID)
}

// logTail returns the last lines of the broker's log.
func (n *Node) logTail() string {
	b, err := os.ReadFile(n.file("log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}
