// SPDX-License-Identifier: Apache-2.0

package privilege

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// childEnv holds the order of a child, and makes the test program one.
const childEnv = "STILLWATCH_TEST_CHILD"

// order is what a child is to do: become a user, drop as configured, try things.
type order struct {
	Become string
	Config Config
	Dir    string // "kept" in it is writable, "config" readable, "other" neither
	Parent int
	Broker string // address of a listener
	Old    bool   // as if the kernel knew neither Landlock nor seccomp
}

// told is the report of a child: its status, and the result of each attempt ("" is success).
type told struct {
	Error    string
	Status   Status
	Before   map[string]string
	Attempts map[string]string
}

func TestMain(m *testing.M) {
	text := os.Getenv(childEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(o.obey())
	_, _ = io.Copy(io.Discard, os.Stdin) // stay until the parent has looked
}

func (o order) obey() (t told) {
	t.Before, t.Attempts = map[string]string{}, map[string]string{}
	if o.Become != "" {
		if err := Become(o.Become); err != nil {
			return told{Error: err.Error()}
		}
	}
	note := func(to map[string]string, name string, f func() error) {
		if err := f(); err != nil {
			to[name] = err.Error()
			return
		}
		to[name] = ""
	}
	note(t.Before, "packet socket", packetSocket)
	note(t.Before, "missing", func() error {
		if m := Missing("cap_net_raw", "cap_net_admin", "cap_bpf", "cap_perfmon"); len(m) > 0 {
			return errors.New(strings.Join(m, " "))
		}
		return nil
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return told{Error: err.Error()}
	}
	defer l.Close()
	if o.Old {
		if err := age(); err != nil {
			return told{Error: err.Error()}
		}
	}
	if t.Status, err = Drop(o.Config); err != nil {
		return told{Error: err.Error()}
	}
	for name, f := range o.attempts(l) {
		if o.Old && name != "read other" && name != "packet socket" {
			continue // nothing would stop the others
		}
		note(t.Attempts, name, f)
	}
	manyThreads()
	return t
}

// age makes the kernel answer as one that has neither Landlock nor seccomp.
func age() error {
	return seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS),
			Names: []string{"landlock_create_ruleset", "landlock_restrict_self", "seccomp"}}},
	}})
}

func packetSocket() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

func open(family, kind, proto int) func() error {
	return func() error {
		fd, err := unix.Socket(family, kind, proto)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
}

func call(nr uintptr, args ...uintptr) func() error {
	return func() error {
		var a [6]uintptr
		copy(a[:], args)
		if _, _, e := syscall.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); e != 0 {
			return e
		}
		return nil
	}
}

func (o order) attempts(l net.Listener) map[string]func() error {
	in := func(parts ...string) string { return filepath.Join(append([]string{o.Dir}, parts...)...) }
	readFile := func(name string) func() error { return func() error { _, err := os.ReadFile(name); return err } }
	writeFile := func(name string) func() error { return func() error { return os.WriteFile(name, []byte("x"), 0o600) } }
	return map[string]func() error{
		"read config":      readFile(in("config", "site.yaml")),
		"read new config":  readFile(in("config", "new.yaml")),
		"write config":     writeFile(in("config", "site.yaml")),
		"read other":       readFile(in("other", "secret")),
		"write other":      writeFile(in("other", "made")),
		"truncate other":   func() error { return os.Truncate(in("other", "secret"), 0) },
		"spool":            func() error { return useFolder(in("kept")) },
		"link from other":  func() error { return os.Symlink("/", in("kept", "root")) },
		"packet socket":    packetSocket,
		"raw socket":       open(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMP),
		"netlink socket":   open(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0),
		"vsock socket":     open(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0),
		"exec":             func() error { _, err := syscall.ForkExec("/bin/true", []string{"true"}, nil); return err },
		"execve":           func() error { return unix.Exec("/bin/true", []string{"true"}, nil) },
		"setuid":           call(unix.SYS_SETUID, 0),
		"capset":           call(unix.SYS_CAPSET, 0, 0),
		"bpf map":          call(unix.SYS_BPF, unix.BPF_MAP_CREATE, 0, 0),
		"bpf program":      call(unix.SYS_BPF, unix.BPF_PROG_LOAD, 0, 0),
		"bpf lookup":       call(unix.SYS_BPF, unix.BPF_MAP_LOOKUP_ELEM, 0, 0),
		"ptrace":           call(unix.SYS_PTRACE, unix.PTRACE_TRACEME),
		"mount":            call(unix.SYS_MOUNT),
		"unshare":          call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER),
		"module":           call(unix.SYS_INIT_MODULE),
		"kill":             call(unix.SYS_KILL, uintptr(o.Parent), 0),
		"signal to others": call(unix.SYS_TGKILL, uintptr(o.Parent), uintptr(o.Parent), 0),
		"signal to itself": call(unix.SYS_TGKILL, uintptr(os.Getpid()), uintptr(os.Getpid()), 0),
		"executable":       call(unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0)),
		"io_uring":         call(unix.SYS_IO_URING_SETUP, 1, 0),
		"listen":           func() error { _, err := net.Listen("tcp", "127.0.0.1:0"); return err },
		"connect":          func() error { return dial("tcp", o.Broker) },
		"name server":      func() error { return dial("udp", "127.0.0.1:53") },
		"accept":           func() error { return accept(l) },
		"timer":            func() error { time.Sleep(time.Millisecond); runtime.GC(); return nil },
	}
}

func dial(network, address string) error {
	c, err := net.Dial(network, address)
	if err == nil {
		err = c.Close()
	}
	return err
}

func accept(l net.Listener) error {
	if err := dial("tcp", l.Addr().String()); err != nil {
		return err
	}
	c, err := l.Accept()
	if err == nil {
		err = c.Close()
	}
	return err
}

// useFolder does what the spool does: make, write, sync, cut, rename, list, remove.
func useFolder(dir string) error {
	f, err := os.Create(filepath.Join(dir, "a.tmp"))
	if err != nil {
		return err
	}
	_, err = f.WriteString("record")
	err = errors.Join(err, f.Sync(), f.Truncate(3), f.Close(), os.Rename(f.Name(), filepath.Join(dir, "a")))
	if _, e := os.ReadDir(dir); e != nil {
		err = errors.Join(err, e)
	}
	return errors.Join(err, os.Remove(filepath.Join(dir, "a")))
}

// manyThreads makes the runtime start threads after the drop.
func manyThreads() {
	ready, stay := make(chan struct{}), make(chan struct{})
	for range 8 {
		go func() {
			runtime.LockOSThread()
			ready <- struct{}{}
			<-stay
		}()
	}
	for range 8 {
		<-ready
	}
}

// child runs one, and gives what it told and its process id while it waits.
func child(t *testing.T, o order, attr *syscall.SysProcAttr) (told, int) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.Stderr, cmd.SysProcAttr = append(os.Environ(), childEnv+"="+string(text)), os.Stderr, attr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the child ended with %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the child said nothing: %v", err)
	}
	var got told
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	return got, cmd.Process.Pid
}
