// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// journal stores the alerts since the last snapshot on disk, alternating between two files: alerts before a snapshot stay in one until the
// snapshot is on disk, alerts after it go to the other. An entry is
//
//	length  u32, of what follows the checksum; all numbers are big-endian
//	sum     u32, CRC-32C of it
//	step    u64, number of the last snapshot that started before it
//	changes u32+bytes, see snapshot.Batch
//	record  the alert, to the end
type journal struct {
	files  [2]*os.File
	sizes  [2]int64
	at     int    // index of the current file
	step   uint64 // of new entries
	keep   bool   // the files have entries that no snapshot has: the next one must not truncate them
	unsent [][]byte
	buf    []byte
	broken bool // the current file cannot be written
}

type entry struct {
	step            uint64
	changes, record []byte
}

const (
	entryHead = 8
	// maxJournal bounds each file. It holds the alerts of some minutes while no snapshot can be written.
	maxJournal = 64 << 20
)

func journalName(path string, i int) string { return fmt.Sprintf("%s.journal%d", path, i+1) }

// Files returns the names of the files of a state, each with the name that it has if the state is copied to another path.
func Files(path, to string) map[string]string {
	return map[string]string{path: to, journalName(path, 0): journalName(to, 0), journalName(path, 1): journalName(to, 1)}
}

func removeJournals(path string) {
	for i := range 2 {
		_ = os.Remove(journalName(path, i)) // a file that remains is refused by its steps, or fails when it is opened
	}
}

// open reads the entries of snapshot step and later ones, in order, and continues after the last one.
func (j *journal) open(path string, step uint64, fn func(entry)) error {
	var all [2][]entry
	for i := range j.files {
		f, err := os.OpenFile(journalName(path, i), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return errors.Join(err, j.end())
		}
		j.files[i] = f
		if all[i], j.sizes[i], err = readEntries(f, step); err != nil {
			return errors.Join(err, j.end())
		}
	}
	if last(all[1]) > last(all[0]) {
		j.at = 1
	}
	for _, i := range [...]int{1 - j.at, j.at} {
		for _, e := range all[i] {
			j.keep = true
			j.unsent = append(j.unsent, e.record)
			j.step = max(j.step, e.step)
			fn(e)
		}
	}
	j.step = max(j.step, step)
	if !j.keep {
		return j.empty(j.at)
	}
	return nil
}

func last(all []entry) uint64 {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].step
}

// readEntries reads entries up to the first torn one, and returns the offset of that.
func readEntries(f *os.File, step uint64) (all []entry, size int64, err error) {
	b, err := io.ReadAll(io.LimitReader(f, maxJournal+1<<20))
	if err != nil {
		return nil, 0, err
	}
	for {
		e, n := parseEntry(b[size:])
		if n == 0 {
			return all, size, nil
		}
		if size += int64(n); e.step >= step {
			all = append(all, e)
		}
	}
}

// parseEntry reads one entry and returns its length, 0 if it is not complete.
func parseEntry(b []byte) (e entry, n int) {
	if len(b) < entryHead {
		return e, 0
	}
	size := int64(binary.BigEndian.Uint32(b))
	if size > int64(len(b)-entryHead) || size < 12 {
		return e, 0
	}
	body := b[entryHead : entryHead+size]
	changes := int64(binary.BigEndian.Uint32(body[8:]))
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[4:]) || changes > size-12 {
		return e, 0
	}
	return entry{binary.BigEndian.Uint64(body), body[12 : 12+changes], body[12+changes:]}, entryHead + int(size)
}

// add writes an entry. It reaches the page cache of the kernel, so it survives a crash of the process; it does not wait for the disk.
func (j *journal) add(changes, record []byte) error {
	if j.broken || j.sizes[j.at] > maxJournal {
		return errors.New("the journal is full or cannot be written")
	}
	b := append(j.buf[:0], make([]byte, entryHead)...)
	b = binary.BigEndian.AppendUint64(b, j.step)
	b = binary.BigEndian.AppendUint32(b, uint32(len(changes)))
	b = append(append(b, changes...), record...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-entryHead))
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[entryHead:], castagnoli))
	j.buf = b
	n, err := j.files[j.at].WriteAt(b, j.sizes[j.at])
	if err != nil {
		if n > 0 && j.files[j.at].Truncate(j.sizes[j.at]) != nil {
			j.broken = true
		}
		return err
	}
	j.sizes[j.at] += int64(n)
	return nil
}

// next starts snapshot step: new entries go to the file whose entries an earlier snapshot contains.
func (j *journal) next(step uint64) {
	j.step = step
	if j.keep {
		j.keep = false
		return
	}
	j.at = 1 - j.at
	j.broken = j.empty(j.at) != nil
}

func (j *journal) empty(i int) error {
	j.sizes[i] = 0
	return j.files[i].Truncate(0)
}

func (j *journal) size() int64 { return j.sizes[0] + j.sizes[1] }

// close closes the journal, and removes it if a snapshot contains all of it.
func (j *journal) close(saved bool) error {
	var names []string
	for _, f := range j.files {
		if f != nil {
			names = append(names, f.Name())
		}
	}
	err := j.end()
	for _, name := range names {
		if saved {
			err = errors.Join(err, os.Remove(name))
		}
	}
	return err
}

func (j *journal) end() error {
	var errs []error
	for i, f := range j.files {
		if f != nil {
			errs = append(errs, f.Close())
			j.files[i] = nil
		}
	}
	return errors.Join(errs...)
}
