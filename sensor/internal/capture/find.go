// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// indexSuffix ends the names of index files, which lie beside the captures that they describe.
	indexSuffix = ".swx"
	// maxNamedFiles bounds the files that a reason names.
	maxNamedFiles = 5
)

// source is where a capture is stored.
type source struct {
	path   string
	member *member // of the zip archive at path; nil: the file itself
}

// String returns the name of the capture for messages.
func (s source) String() string {
	switch {
	case s.member != nil:
		return s.path + "/" + s.member.name
	case s.path == Stdin:
		return "standard input"
	}
	return s.path
}

// found is a file that may be a capture.
type found struct {
	source
	folder string // the folder or archive in which it was found; "" if it was named
}

// find returns the files that paths name, and the folders among paths. A folder stands for the regular files in it and in its folders, a pattern
// for the files that it matches. Hidden files and index files are left out of both. The errors are those of paths that name nothing.
func find(paths []string) (files []found, folders []string, errs []error) {
	for _, p := range paths {
		names, err := expand(p)
		if err != nil {
			errs = append(errs, err)
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if name == Stdin || err != nil || !info.IsDir() { // opening it reports the error
				files = append(files, found{source: source{path: name}})
				continue
			}
			folders = append(folders, name)
			inside, err := filesIn(name)
			if err != nil {
				errs = append(errs, err)
			}
			for _, f := range inside {
				files = append(files, found{source{path: f}, name})
			}
		}
	}
	return files, folders, errs
}

// List returns the files that paths name, as OpenFiles finds them, whether they are captures or not. inside has those that were found in a folder.
func List(paths []string) (names []string, inside map[string]bool, err error) {
	files, _, errs := find(paths)
	inside = map[string]bool{}
	for _, f := range files {
		names = append(names, f.path)
		if f.folder != "" {
			inside[f.path] = true
		}
	}
	return names, inside, errors.Join(errs...)
}

// expand returns the names that a pattern matches, or path itself if it is the name of a file or has no pattern.
func expand(path string) ([]string, error) {
	if _, err := os.Lstat(path); path == Stdin || err == nil || !strings.ContainsAny(path, `*?[`) {
		return []string{path}, nil
	}
	matches, err := filepath.Glob(path)
	if err != nil {
		return nil, fmt.Errorf("%s: no such file, and no valid pattern: %w", path, err)
	}
	hidden := strings.HasPrefix(filepath.Base(path), ".")
	var names []string
	for _, m := range matches {
		if hidden || !leftOut(m) {
			names = append(names, m)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: the pattern matches no file", path)
	}
	return names, nil
}

// leftOut reports whether a file is hidden or an index.
func leftOut(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, indexSuffix)
}

// filesIn returns the regular files in a folder and its folders. It follows symbolic links, and enters each folder once.
func filesIn(root string) (files []string, err error) {
	entered := map[string]bool{}
	var enter func(dir string) error
	enter = func(dir string) error {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || entered[real] {
			return err
		}
		entered[real] = true
		list, err := os.ReadDir(dir) // sorted
		errs := []error{err}
		for _, e := range list {
			name := filepath.Join(dir, e.Name())
			if leftOut(name) {
				continue
			}
			info, err := os.Stat(name)
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ELOOP): // a link to nothing, or a file that was removed
			case err != nil:
				errs = append(errs, err)
			case info.IsDir():
				errs = append(errs, enter(name))
			case info.Mode().IsRegular(): // opening a pipe would wait for a writer
				files = append(files, name)
			}
		}
		return errors.Join(errs...)
	}
	err = enter(root)
	return files, err
}

// noCaptures describes files of a folder that are no captures.
func noCaptures(names []string) string {
	text := strings.Join(names[:min(len(names), maxNamedFiles)], ", ")
	if more := len(names) - maxNamedFiles; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if len(names) == 1 {
		return "1 file in it is not a capture: " + text
	}
	return fmt.Sprintf("%d files in it are not captures: %s", len(names), text)
}
