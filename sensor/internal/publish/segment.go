// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const segmentSuffix = ".spool"

// segment is a file of records with increasing index.
type segment struct {
	path  string
	first uint64 // index in the file name; no record in it is below
	last  uint64 // index of the last record; meaningful if records > 0
	at    int64  // of the first record
	size  int64  // bytes that are synced to disk
	count [numRanks]int
	bytes [numRanks]int64
	gone  int // delivered records
	lost  int // records that could not be read back
}

func newSegment(dir string, first uint64) *segment {
	return &segment{path: filepath.Join(dir, fmt.Sprintf("%020d%s", first, segmentSuffix)), first: first}
}

func (g *segment) records() (n int) {
	for _, c := range g.count {
		n += c
	}
	return n
}

// note counts a record of n bytes.
func (g *segment) note(r *Record, n int) {
	if g.records() == 0 {
		g.at = r.At
	}
	g.last = r.Index
	g.count[r.Rank]++
	g.bytes[r.Rank] += int64(n)
}

// damage is what a scan skipped.
type damage struct {
	places int // runs of other bytes between records
	torn   int // bytes after the last record
}

// scan calls fn for every whole record of b, with its offset and length, until fn returns false. It skips other bytes up to the next record.
// It returns the end of the last record.
func scan(b []byte, fn func(r *Record, at, n int) bool) (end int, d damage) {
	bad := false
	for at := 0; at < len(b); {
		r, n, err := readRecord(b[at:])
		if err == nil {
			if bad {
				d.places++
			}
			bad = false
			at += n
			end = at
			if !fn(&r, at-n, n) {
				return end, damage{places: d.places}
			}
			continue
		}
		bad = true
		next := bytes.Index(b[at+1:], recordMagic[:])
		if next < 0 {
			break
		}
		at += 1 + next
	}
	d.torn = len(b) - end
	return end, d
}

// load reads a segment of an earlier run and calls seen for every record. With repair, for the last segment, it cuts off a torn tail;
// elsewhere damage is only counted.
func (g *segment) load(repair bool, seen func(*Record)) (damage, error) {
	b, err := os.ReadFile(g.path)
	if err != nil {
		return damage{}, err
	}
	end, d := scan(b, func(r *Record, _, n int) bool {
		g.note(r, n)
		seen(r)
		return true
	})
	g.size = int64(len(b))
	if d.torn == 0 {
		return d, nil
	}
	if !repair {
		d.places++
		return d, nil
	}
	g.size = int64(end)
	return d, truncate(g.path, g.size)
}

func truncate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), f.Close())
}

// listSegments returns the segments of a folder, oldest first, not loaded. It removes the files of an interrupted compaction.
func listSegments(dir string) ([]*segment, error) {
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []*segment
	for _, f := range found {
		name := f.Name()
		if strings.HasSuffix(name, partSuffix) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return nil, err
			}
			continue
		}
		digits, ok := strings.CutSuffix(name, segmentSuffix)
		if first, err := strconv.ParseUint(digits, 10, 64); ok && err == nil {
			all = append(all, newSegment(dir, first))
		}
	}
	slices.SortFunc(all, func(a, b *segment) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

// partSuffix marks a file that is being written; it is renamed when it is complete.
const partSuffix = ".part"

// replace replaces a file atomically: either the old or the new content is there at any time.
func replace(path string, b []byte, sync bool) error {
	f, err := os.OpenFile(path+partSuffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if sync && err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path + partSuffix)
		return err
	}
	return os.Rename(path+partSuffix, path)
}

// makeDir creates a folder and its parents, and syncs their directory entries.
func makeDir(dir string, sync func(string) error) error {
	_, err := os.Stat(dir)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	up := filepath.Dir(dir)
	if up != dir {
		if err := makeDir(up, sync); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return sync(up)
}

// removeFile removes a file if it exists.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncDir syncs a folder, so that the names in it are durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
