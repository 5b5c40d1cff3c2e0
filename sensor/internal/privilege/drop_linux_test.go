// SPDX-License-Identifier: Apache-2.0

package privilege

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"stillwatch/internal/testneed"
)

const nobody = 65534

// ground makes the folders of an order, which user may use, and a broker to connect to.
func ground(t *testing.T, user int) order {
	t.Helper()
	if os.Geteuid() != 0 {
		testneed.Missing(t, testneed.RootNeed, "changing users and capabilities takes root")
	}
	dir, err := os.MkdirTemp("", "stillwatch-privilege")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for name, text := range map[string]string{"config/site.yaml": "old", "config/new.yaml": "new", "other/secret": "secret", "kept/segment": "x"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, user, user)
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return order{Dir: dir, Parent: os.Getpid(), Broker: l.Addr().String(),
		Config: Config{Read: []string{filepath.Join(dir, "config", "site.yaml")}, Write: []string{filepath.Join(dir, "kept")}, Names: true}}
}

// want is how the attempts must end: what stays possible, and the error of what does not.
func want() map[string]string {
	const perm, access = "operation not permitted", "permission denied"
	all := map[string]string{}
	for _, name := range []string{"read config", "read new config", "spool", "connect", "name server", "accept", "timer", "signal to itself"} {
		all[name] = ""
	}
	for _, name := range []string{"truncate other", "link from other", "packet socket", "raw socket", "netlink socket", "vsock socket",
		"exec", "execve", "setuid", "capset", "bpf map", "bpf program", "bpf lookup", "ptrace", "mount", "unshare", "module", "kill", "signal to others", "executable", "io_uring", "listen"} {
		all[name] = perm
	}
	for _, name := range []string{"write config", "read other", "write other"} {
		all[name] = access
	}
	return all
}

func check(t *testing.T, got told, want map[string]string) {
	t.Helper()
	if got.Error != "" {
		t.Fatal(got.Error)
	}
	if lacks := got.Status.Lacks(); lacks != "" {
		testneed.Missing(t, "kernel", "this kernel lacks %s", lacks)
	}
	if a, b := slices.Sorted(maps.Keys(got.Attempts)), slices.Sorted(maps.Keys(want)); !slices.Equal(a, b) {
		t.Fatalf("tried %v, expected %v", a, b)
	}
	for name, w := range want {
		if g := got.Attempts[name]; (g == "") != (w == "") || !strings.Contains(g, w) {
			t.Errorf("%s ended with %q, want %q", name, g, w)
		}
	}
}

// checkThreads reads what the kernel says of each thread of a child.
func checkThreads(t *testing.T, pid, uid int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) < 9 {
		t.Fatalf("%d threads (%v), of which 8 were started after the drop", len(files), err)
	}
	zero := strings.Repeat("0", 16)
	id := fmt.Sprintf("%d\t%[1]d\t%[1]d\t%[1]d", uid)
	want := map[string]string{"CapInh": zero, "CapPrm": zero, "CapEff": zero, "CapAmb": zero, "NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "1", "Uid": id, "Gid": id}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for line := range strings.Lines(string(b)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			if w, ok := want[key]; ok {
				if seen++; strings.TrimSpace(value) != w {
					t.Errorf("%s: %s is %q, want %q", f, key, strings.TrimSpace(value), w)
				}
			}
		}
		if seen != len(want) {
			t.Errorf("%s has %d of %d lines", f, seen, len(want))
		}
	}
}

func TestRootDropsAllPrivileges(t *testing.T) {
	o := ground(t, 0)
	got, pid := child(t, o, nil)
	check(t, got, want())
	checkThreads(t, pid, 0)
	if got.Before["packet socket"] != "" {
		t.Errorf("no packet socket before the drop: %s; so the test shows nothing", got.Before["packet socket"])
	}
}

// TestUserWithTheDocumentedCapabilities starts without root, as a service manager with AmbientCapabilities does.
func TestUserWithTheDocumentedCapabilities(t *testing.T) {
	o := ground(t, nobody)
	got, pid := child(t, o, &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: nobody, Gid: nobody},
		AmbientCaps: []uintptr{unix.CAP_NET_RAW, unix.CAP_NET_ADMIN, unix.CAP_BPF, unix.CAP_PERFMON},
	})
	check(t, got, want())
	checkThreads(t, pid, nobody)
	for name, e := range got.Before {
		if e != "" {
			t.Errorf("before the drop: %s: %s", name, e)
		}
	}
}

func TestBecome(t *testing.T) {
	o := ground(t, nobody)
	o.Become = "nobody"
	got, pid := child(t, o, nil)
	w := want()
	check(t, got, w)
	checkThreads(t, pid, nobody)
	for name, e := range got.Before {
		if e != "" {
			t.Errorf("the user lacks what opening a port takes: %s: %s", name, e)
		}
	}
	for _, c := range []struct {
		name string
		attr *syscall.SysProcAttr
		want string
	}{
		{"root", nil, "--user root: this is root; name a user without privileges"},
		{"no-such-user", nil, "--user no-such-user: user: unknown user no-such-user"},
		{"daemon", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}, "--user daemon: only root can change to another user; start as root, or leave --user out"},
	} {
		o.Become = c.name
		if got, _ := child(t, o, c.attr); got.Error != c.want {
			t.Errorf("to %s: %q, want %q", c.name, got.Error, c.want)
		}
	}
}

// TestMapsStayAccessible is mode xdp: maps that are open can be read, and nothing can be made.
func TestMapsStayAccessible(t *testing.T) {
	o := ground(t, 0)
	o.Config.Maps = true
	got, _ := child(t, o, nil)
	w := want()
	w["bpf lookup"] = "invalid argument" // what the kernel says of an empty request, so it was heard
	check(t, got, w)
}

// TestMissingKernelSupportIsReported drops on a kernel that knows neither Landlock nor seccomp: capabilities are gone, and the rest is told.
func TestMissingKernelSupportIsReported(t *testing.T) {
	o := ground(t, 0)
	o.Old = true
	got, pid := child(t, o, nil)
	if got.Error != "" {
		t.Fatal(got.Error)
	}
	active := map[string]bool{}
	for _, p := range got.Status {
		active[p.Name] = p.Active
	}
	if want := map[string]bool{Capabilities: true, NoNewPrivs: true, Landlock: false, Seccomp: false}; !maps.Equal(active, want) {
		t.Errorf("active: %v, want %v", active, want)
	}
	lacks := got.Status.Lacks()
	if !strings.HasPrefix(lacks, "landlock: not in this kernel") || !strings.Contains(lacks, "; seccomp: not in this kernel") || strings.Contains(lacks, "\n") {
		t.Errorf("told %q", lacks)
	}
	if said := got.Status.String(); said != "capabilities: none; no_new_privs: set" {
		t.Errorf("in force: %q", said)
	}
	if got.Attempts["read other"] != "" || got.Attempts["packet socket"] == "" {
		t.Errorf("%v", got.Attempts)
	}
	checkThreads(t, pid, 0)
}

func TestFoldersOf(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real", "site.yaml")
	if err := os.Mkdir(filepath.Dir(real), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(real, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	got := foldersOf([]string{"", filepath.Join(dir, "link.yaml"), filepath.Join(dir, "absent.yaml"), "/site.yaml"})
	if want := []string{dir, filepath.Dir(real), "/site.yaml"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
