// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"io"
	"slices"

	"stillwatch/sensor/internal/capture"
)

// sampleBytes limits the size of a sample.
const sampleBytes = 64 << 20

// Sample keeps the first frames of a check and is then a capture.Source, to measure the sensor with the traffic of this port.
type Sample struct {
	batches []capture.Batch
	next    int
	stats   capture.Stats
}

// Keep copies a batch up to the size limit.
func (s *Sample) Keep(b *capture.Batch) {
	kept := capture.Batch{}
	for _, f := range b.Frames {
		if s.stats.Bytes+uint64(f.Len) > sampleBytes {
			break
		}
		data := b.Data[f.Off : f.Off+f.Len]
		f.Off = uint32(len(kept.Data))
		kept.Data = append(kept.Data, data...)
		kept.Frames = append(kept.Frames, f)
		s.stats.Frames++
		s.stats.Bytes += uint64(f.Len)
	}
	if len(kept.Frames) > 0 {
		s.batches = append(s.batches, kept)
	}
}

// Next implements capture.Source.
func (s *Sample) Next(b *capture.Batch) error {
	if s.next == len(s.batches) {
		b.Frames = b.Frames[:0]
		return io.EOF
	}
	k := &s.batches[s.next]
	s.next++
	b.Data, b.Clock, b.Counts = k.Data, 0, nil
	b.Frames = slices.Grow(b.Frames[:0], len(k.Frames))
	b.Frames = append(b.Frames, k.Frames...)
	return nil
}

// Stats implements capture.Source.
func (s *Sample) Stats() capture.Stats { return s.stats }

// Close implements capture.Source.
func (s *Sample) Close() error { return nil }
