// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"stillwatch/internal/testneed"
)

// notRegular makes one of each thing that a rename would destroy, all of them in a folder of the test: none is the machine's own.
func notRegular(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"a folder": dir, "a pipe": filepath.Join(dir, "pipe"), "a symbolic link": filepath.Join(dir, "link")}
	if err := syscall.Mkfifo(all["a pipe"], 0o600); err != nil {
		testneed.Missing(t, "fifo", "no FIFO here: %v", err)
	}
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, all["a symbolic link"]); err != nil {
		t.Fatal(err)
	}
	if device := filepath.Join(dir, "device"); syscall.Mknod(device, syscall.S_IFCHR|0o600, 1<<8|7) == nil { // root may
		all["a device"] = device
	}
	return all
}

func TestOnlyARegularFileIsReplaced(t *testing.T) {
	for kind, name := range notRegular(t) {
		before, err := os.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{"checking": Check(name), "writing": WriteFile(name, full())} {
			if err == nil || !strings.Contains(err.Error(), name+" is "+kind) {
				t.Errorf("%s %s gave %v", what, kind, err)
			}
		}
		if after, err := os.Lstat(name); err != nil || after.Mode() != before.Mode() || !os.SameFile(before, after) {
			t.Errorf("%s became %v (%v)", kind, after, err)
		}
	}
}

func TestNullDeviceDiscards(t *testing.T) {
	name := filepath.Join(t.TempDir(), "null")
	if err := os.Symlink(os.DevNull, name); err != nil {
		t.Fatal(err)
	}
	if err := Check(name); err != nil {
		t.Error(err)
	}
	if err := WriteFile(name, full()); err != nil {
		t.Error(err)
	}
	if to, err := os.Readlink(name); err != nil || to != os.DevNull {
		t.Errorf("it is %q, %v", to, err)
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "no", "metrics.prom")
	for what, err := range map[string]error{"checking": Check(name), "writing": WriteFile(name, full())} {
		if want := "write " + name + ": no such file or directory"; err == nil || err.Error() != want {
			t.Errorf("%s gave %v, want %s", what, err, want)
		}
	}
}

func TestCheckLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "metrics.prom")
	if err := Check(name); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for range 2 { // a new file, and one that is there
		if err := WriteFile(name, full()); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
