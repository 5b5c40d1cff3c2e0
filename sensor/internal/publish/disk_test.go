// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stillwatch/internal/testneed"
)

// smallDisk mounts a disk of so many kilobytes.
func smallDisk(t *testing.T, kb int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kb)); err != nil {
		testneed.Missing(t, "root", "no tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it did not happen", what)
		}
	}
}

func TestFullDiskIsReportedAndLosesNothing(t *testing.T) {
	if !testneed.MountNamespace(t) {
		return
	}
	disk := smallDisk(t, 512)
	ballast := filepath.Join(disk, "ballast")
	s := openSpool(t, filepath.Join(disk, "spool"), SpoolOptions{})
	want := numbered(600) // 180 kB
	for _, v := range want[:300] {
		put(t, s, RankHigh, v)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	fillDisk(t, ballast)
	for _, v := range want[300:] {
		put(t, s, RankHigh, v)
	}
	waitFor(t, "the fault", func() bool { return s.Stats().Fault != nil })
	st := s.Stats()
	if !errors.Is(st.Fault, syscall.ENOSPC) || st.Appended >= 600 || st.DroppedTotal() > 0 {
		t.Errorf("on a full disk: %+v", st)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end of the fault", func() bool { return s.Stats().Fault == nil && s.Stats().Appended == 600 })
	same(t, drain(t, s), want)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, drain(t, openSpool(t, filepath.Join(disk, "spool"), SpoolOptions{})), want)
}

func fillDisk(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// TestReadOnlyDisk takes the right to write away from a disk: records are delivered from memory, and written once they can be.
func TestReadOnlyDisk(t *testing.T) {
	if !testneed.MountNamespace(t) {
		return
	}
	disk := smallDisk(t, 4096)
	s := openSpool(t, filepath.Join(disk, "spool"), SpoolOptions{SegmentBytes: 1}) // no file stays open for writing
	put(t, s, RankHigh, "written")
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("none", disk, "tmpfs", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	put(t, s, RankHigh, "from memory")
	waitFor(t, "the fault", func() bool { return s.Stats().Fault != nil })
	if err := s.Sync(); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a record that is not on disk counts as raised: %v", err)
	}
	same(t, drain(t, s), []string{"written", "from memory"})
	s.Ack(2, 2)
	waitFor(t, "the records to be gone", func() bool { return s.Stats().Records == 0 })
	if s.Stats().Fault == nil {
		t.Error("the cursor could not be written, and nothing shows it")
	}
	remount(0)
	put(t, s, RankHigh, "again")
	if waitFor(t, "the disk", func() bool { return s.Stats().Fault == nil }); s.Sync() != nil {
		t.Error("the disk can be written to, and the spool does not")
	}
	same(t, drain(t, s), []string{"again"})
}

// TestMemoryIsBoundedWhileTheDiskIsFull keeps the most severe of what waits.
func TestMemoryIsBoundedWhileTheDiskIsFull(t *testing.T) {
	if !testneed.MountNamespace(t) {
		return
	}
	disk := smallDisk(t, 64)
	s := openSpool(t, filepath.Join(disk, "spool"), SpoolOptions{MemoryBytes: 64 << 10})
	fillDisk(t, filepath.Join(disk, "ballast"))
	put(t, s, RankCritical, "first")
	waitFor(t, "the fault", func() bool { return s.Stats().Fault != nil })
	for i := range 200 {
		put(t, s, RankLow, strings.Repeat("x", 1000))
		if i%20 == 0 {
			put(t, s, RankCritical, "severe")
		}
	}
	st := s.Stats()
	if st.Dropped[RankLow] < 100 || st.Dropped[RankCritical] > 0 || s.memory > 64<<10 {
		t.Errorf("dropped %v, %d bytes in memory", st.Dropped, s.memory)
	}
	severe := 0
	for _, v := range drain(t, s) {
		if v == "severe" || v == "first" {
			severe++
		}
	}
	if severe != 11 {
		t.Errorf("%d of 11 critical records can be delivered", severe)
	}
}
