// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// prefix is the prefix of the names of all namespaces of all labs.
const prefix = "stillwatch-lab-"

// locks is the directory with a lock for each run. The kernel releases the lock when the run ends, in whatever way.
const locks = "/run/stillwatch-lab"

// errAlive is returned if a run still holds its lock.
var errAlive = errors.New("the run is alive")

func lock(run string) (*os.File, error) {
	if err := os.MkdirAll(locks, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(locks, run), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // another process holds the lock
		return nil, fmt.Errorf("run %s: %w", run, errAlive)
	}
	return f, nil
}

func unlock(run string, f *os.File) error {
	return errors.Join(os.Remove(filepath.Join(locks, run)), f.Close())
}

// Clean removes the namespaces of killed runs and returns the names of these runs. It does not touch active runs.
func Clean() (cleaned []string, err error) {
	if err := Needs(); err != nil {
		return nil, err
	}
	left, err := leftovers()
	if err != nil {
		return nil, err
	}
	for run, names := range left {
		f, lockErr := lock(run)
		if errors.Is(lockErr, errAlive) {
			continue
		}
		if lockErr != nil {
			err = errors.Join(err, lockErr)
			continue
		}
		err = errors.Join(err, remove(names), unlock(run, f))
		cleaned = append(cleaned, run)
	}
	return cleaned, err
}

// leftovers returns the namespaces of all runs, and the runs that have only a lock.
func leftovers() (map[string][]string, error) {
	found := map[string][]string{}
	names, err := filepath.Glob("/run/netns/" + prefix + "*")
	if err != nil {
		return nil, err
	}
	for _, path := range names {
		name := filepath.Base(path)
		run, _, _ := strings.Cut(strings.TrimPrefix(name, prefix), "-")
		found[run] = append(found[run], name)
	}
	files, err := os.ReadDir(locks)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, f := range files {
		if _, ok := found[f.Name()]; !ok {
			found[f.Name()] = nil
		}
	}
	return found, nil
}

// remove ends the processes in namespaces by process id and deletes the namespaces.
func remove(names []string) error {
	var errs error
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if !signalAll(names, sig) {
			break
		}
		for end := time.Now().Add(10 * time.Second); signalAll(names, 0) && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
		}
	}
	for _, name := range names {
		if _, err := os.Stat("/run/netns/" + name); err != nil {
			continue // it was never made
		}
		if err := batch(context.Background(), "netns del "+name+"\n"); err != nil {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

// signalAll sends a signal to every process in the namespaces and reports whether there was one.
func signalAll(names []string, sig syscall.Signal) (any bool) {
	for _, name := range names {
		out, err := exec.Command("ip", "netns", "pids", name).Output()
		if err != nil {
			continue // it was never made
		}
		for _, field := range strings.Fields(string(out)) {
			if pid, err := strconv.Atoi(field); err == nil && pid != os.Getpid() && syscall.Kill(pid, sig) == nil {
				any = true
			}
		}
	}
	return any
}
