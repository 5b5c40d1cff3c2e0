// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// Write writes the metrics of a run and of other collectors in the Prometheus text format.
func Write(w io.Writer, r Run, others ...prometheus.Collector) error {
	reg := prometheus.NewRegistry()
	for _, c := range append([]prometheus.Collector{collector{r}}, others...) {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	b := bufio.NewWriter(w)
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(b, f); err != nil {
			return err
		}
	}
	return b.Flush()
}

// Check reports before a run whether WriteFile will be able to write to name. It leaves no file behind.
func Check(name string) error {
	if discards(name) {
		return nil
	}
	if err := replaceable(name); err != nil {
		return err
	}
	f, err := beside(name)
	if err != nil {
		return at(name, err)
	}
	return at(name, errors.Join(f.Close(), os.Remove(f.Name())))
}

// WriteFile writes the metrics to a file atomically: it writes a temporary file in the same folder and renames it. The rename would replace a
// device, a pipe or a link by a file, so only regular files are allowed. The null device discards the metrics.
func WriteFile(name string, r Run, others ...prometheus.Collector) error {
	if discards(name) {
		return Write(io.Discard, r, others...)
	}
	if err := replaceable(name); err != nil {
		return err
	}
	f, err := beside(name)
	if err != nil {
		return at(name, err)
	}
	err = Write(f, r, others...)
	if err == nil {
		err = f.Chmod(0o644) // the textfile collector may run as another user
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // err is more important
	}
	return at(name, err)
}

// discards reports whether name is the null device, or a link to it.
func discards(name string) bool {
	null, err := os.Stat(os.DevNull)
	if err != nil {
		return false
	}
	info, err := os.Stat(name)
	return err == nil && os.SameFile(null, info)
}

// beside creates a temporary file in the folder of name.
func beside(name string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".")
}

// replaceable returns an error if name exists and is not a regular file. It does not follow links, because the rename would replace the link.
func replaceable(name string) error {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return at(name, err)
	case info.Mode().IsRegular():
		return nil
	}
	return fmt.Errorf("%s is %s: the metrics replace the whole file, so it must be a regular file", name, kindOf(info.Mode()))
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// at replaces the name of the temporary file in an error by name.
func at(name string, err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return &fs.PathError{Op: "write", Path: name, Err: err}
}
