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

// Write writes the metrics of a run, and those of others, in the text format of Prometheus.
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

// Check says before a run why WriteFile could not write to name after it, nil if nothing is in its way. It leaves nothing behind.
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

// WriteFile is Write to a file. The file is there whole or not at all: it is written beside its place and renamed.
// The rename would put a file in the place of a device, a pipe or a link, so only a regular file is replaced; the null device takes
// the metrics as it takes everything.
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
		err = f.Chmod(0o644) // a collector of another user reads it
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what matters is told
	}
	return at(name, err)
}

// discards reports whether name is the null device, by whatever name.
func discards(name string) bool {
	null, err := os.Stat(os.DevNull)
	if err != nil {
		return false
	}
	info, err := os.Stat(name)
	return err == nil && os.SameFile(null, info)
}

// beside creates a file of a name of its own in the folder of name.
func beside(name string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".")
}

// replaceable refuses what is no regular file. A link is not followed: what it stands for is somewhere else.
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
	return fmt.Errorf("%s is %s: the metrics replace a file as a whole, give the name of one", name, kindOf(info.Mode()))
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

// at tells of name what happened to the file beside it.
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
