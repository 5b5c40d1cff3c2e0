// SPDX-License-Identifier: Apache-2.0

// Package loadgen sends frames at a fixed rate and measures the cost of receiving them.
package loadgen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Trace has the frames of a memory-mapped pcap file.
type Trace struct {
	data   []byte
	Frames [][]byte
	Bytes  int64 // of the frames
}

// Open maps a pcap file with microseconds and the byte order of this machine, as written by scripts/tracegen.
func Open(path string) (_ *Trace, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	const head, recordHead, magic = 24, 16, 0xa1b2c3d4
	if info.Size() < head {
		return nil, fmt.Errorf("%s: too short for a capture", path)
	}
	t := &Trace{}
	if t.data, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if binary.NativeEndian.Uint32(t.data) != magic {
		return nil, errors.Join(fmt.Errorf("%s: not a capture of scripts/tracegen", path), t.Close())
	}
	for rest := t.data[head:]; len(rest) >= recordHead; {
		n := int(binary.NativeEndian.Uint32(rest[8:]))
		if len(rest) < recordHead+n {
			return nil, errors.Join(fmt.Errorf("%s: cut short", path), t.Close())
		}
		t.Frames = append(t.Frames, rest[recordHead:recordHead+n])
		t.Bytes += int64(n)
		rest = rest[recordHead+n:]
	}
	return t, nil
}

// Close unmaps the file.
func (t *Trace) Close() error { return unix.Munmap(t.data) }
