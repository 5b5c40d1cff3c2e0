// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"os"
	"path/filepath"

	"stillwatch/sensor/internal/evidence"
)

// evidenceDir stores the packets of alerts in a directory, which it creates. A file has the hash of its content as its name, so a file that
// exists is the same and stays.
func evidenceDir(dir string) (func(*evidence.File) error, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return func(f *evidence.File) error {
		name := filepath.Join(dir, f.FileName())
		if _, err := os.Stat(name); err == nil {
			return nil
		}
		t, err := os.CreateTemp(dir, ".evidence-*") // readable by its owner only
		if err != nil {
			return err
		}
		_, err = t.Write(f.Data)
		if err = errors.Join(err, t.Close()); err == nil {
			err = os.Rename(t.Name(), name)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(t.Name()))
		}
		return err
	}, nil
}
