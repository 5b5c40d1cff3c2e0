// SPDX-License-Identifier: Apache-2.0

package privilege

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// Drop drops the privileges of all threads permanently. Everything that cfg does not list must be open already. An error means that a
// protection of this kernel failed; protections that the kernel lacks are in the Status, and the caller should report them.
func Drop(c Config) (Status, error) {
	var keep []cap.Value
	caps := Protection{Name: Capabilities, Active: true, Detail: "none"}
	if c.Maps && mapsNeedCapability() {
		keep = append(keep, cap.BPF)
		caps.Active, caps.Detail, caps.Lack = false, "cap_bpf", "maps cannot be read without cap_bpf, which is kept"
	}
	if err := setCapabilities(keep); err != nil {
		return nil, fmt.Errorf("drop capabilities: %w", err)
	}
	if err := onAllThreads(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return nil, fmt.Errorf("set no_new_privs: %w", err)
	}
	files, err := restrictFiles(c)
	if err != nil {
		return nil, fmt.Errorf("restrict files with Landlock: %w", err)
	}
	calls, err := restrictCalls(c)
	if err != nil {
		return nil, fmt.Errorf("restrict system calls with seccomp: %w", err)
	}
	if err := verify(keep, calls.Active); err != nil {
		return nil, err
	}
	return Status{caps, {Name: NoNewPrivs, Active: true, Detail: "set"}, files, calls}, nil
}

func onAllThreads(option int, value uintptr) error {
	if _, _, e := psx.Syscall6(unix.SYS_PRCTL, uintptr(option), value, 0, 0, 0, 0); e != 0 {
		return e
	}
	return nil
}

// mapsNeedCapability asks the kernel whether it refuses map access without CAP_BPF, as it did before 5.19 where unprivileged BPF is off.
// It asks with the capability lowered, for a file descriptor that is no map: EBADF means that the kernel got past the permission check.
func mapsNeedCapability() bool {
	now := cap.GetProc()
	low, err := now.Dup()
	if err != nil || low.ClearFlag(cap.Effective) != nil || low.SetProc() != nil {
		return true
	}
	attr := [32]byte{0xff, 0xff, 0xff, 0xff} // map_fd -1
	_, _, e := unix.Syscall(unix.SYS_BPF, unix.BPF_MAP_LOOKUP_ELEM, uintptr(unsafe.Pointer(&attr)), uintptr(len(attr)))
	return now.SetProc() != nil || e == unix.EPERM
}

// verify reads the privileges of each thread from the kernel, so that the claim does not rest on the absence of errors.
func verify(keep []cap.Value, filtered bool) error {
	var left uint64
	for _, v := range keep {
		left |= 1 << v
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil // without /proc there is nothing to read, and every call has succeeded
	}
	want := map[string]string{"CapInh": hex(0), "CapPrm": hex(left), "CapEff": hex(left), "CapAmb": hex(0), "NoNewPrivs": "1"}
	if filtered {
		want["Seccomp"] = "2"
	}
	for _, t := range threads {
		b, err := os.ReadFile(filepath.Join("/proc/self/task", t.Name(), "status"))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return fmt.Errorf("read the privileges of thread %s: %w", t.Name(), err)
		}
		for line := range strings.Lines(string(b)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			if w, known := want[key]; known && strings.TrimSpace(value) != w {
				return fmt.Errorf("thread %s still has %s %s after privileges were dropped", t.Name(), key, strings.TrimSpace(value))
			}
		}
	}
	return nil
}

func hex(n uint64) string { return fmt.Sprintf("%016x", n) }

// foldersOf returns the folders of files, of their names and of the targets of symbolic links.
func foldersOf(files []string) (dirs []string) {
	for _, f := range files {
		if f == "" {
			continue
		}
		for _, name := range []string{f, resolved(f)} {
			if abs, err := filepath.Abs(name); err == nil && filepath.Dir(abs) != "/" {
				name = filepath.Dir(abs)
			}
			if !slices.Contains(dirs, name) {
				dirs = append(dirs, name)
			}
		}
	}
	return dirs
}

func resolved(name string) string {
	if r, err := filepath.EvalSymlinks(name); err == nil {
		return r
	}
	return name
}
