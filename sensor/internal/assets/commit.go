// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// An update is written to a folder beside the data files. Renaming that folder to committed is the one step that makes it count: from then on
// its files are used before those of the same name, and they are moved to their places. A program that stops in between leaves them where load
// finds them. Update and Load lock the folder, so that no reader gets files of two updates.
const committed = ".update"

// stage writes the files of an update and commits them.
func stage(dir string, files []candidate) error {
	tmp, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }() // a folder that stays does no harm
	for _, f := range files {
		if f.asset.seal != nil {
			if f.data, err = f.asset.seal(f.data); err != nil {
				return err
			}
		}
		if err := write(filepath.Join(tmp, f.asset.file), f.data); err != nil {
			return err
		}
	}
	if err := errors.Join(os.Chmod(tmp, 0o755), syncDir(tmp), os.Rename(tmp, filepath.Join(dir, committed))); err != nil {
		return err
	}
	return syncDir(dir)
}

// settle moves the files of a committed update to their places, if there is one.
func settle(dir string) error {
	from := filepath.Join(dir, committed)
	all, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	return os.Remove(from)
}

// lock locks a folder for one writer or many readers, and returns what unlocks it. It waits for an update that is being written.
func lock(dir string, write bool) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	how := unix.LOCK_SH
	if write {
		how = unix.LOCK_EX
	}
	for {
		if err = unix.Flock(int(d.Fd()), how); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.EOPNOTSUPP) { // the file system has no locks
		err = nil
	}
	if err != nil {
		_ = d.Close() // it was only read
		return nil, &fs.PathError{Op: "lock", Path: dir, Err: err}
	}
	return func() { _ = d.Close() }, nil // which unlocks it
}

// write writes a file that survives a loss of power.
func write(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
