// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// frame is a captured frame.
type frame struct {
	info gopacket.CaptureInfo
	data []byte
}

// change is what a worse mirror makes of a capture. keep returns how often a frame is in the changed capture; nil stands for the capture as
// it is.
type change struct {
	name string
	keep func(rng *rand.Rand, link layers.LinkType) func(f *frame) int
}

func changes() []change {
	lost := func(share float64) func(*rand.Rand, layers.LinkType) func(*frame) int {
		return func(rng *rand.Rand, _ layers.LinkType) func(*frame) int {
			return func(*frame) int { return times(rng.Float64() >= share) }
		}
	}
	side := func(client bool) func(*rand.Rand, layers.LinkType) func(*frame) int {
		return func(_ *rand.Rand, link layers.LinkType) func(*frame) int {
			d := directions{}
			return func(f *frame) int { return times(d.kept(f, link, client)) }
		}
	}
	return []change{
		{"unchanged", nil},
		{"1 % lost", lost(0.01)},
		{"5 % lost", lost(0.05)},
		{"10 % lost", lost(0.1)},
		{"requests only", side(true)},
		{"answers only", side(false)},
		{"all frames twice", func(*rand.Rand, layers.LinkType) func(*frame) int { return func(*frame) int { return 2 } }},
	}
}

func times(kept bool) int {
	if kept {
		return 1
	}
	return 0
}

// conversation is a pair of end points, in the direction of a packet.
type conversation struct{ network, transport gopacket.Flow }

// directions holds for each conversation whether its packets are those of the client.
type directions map[conversation]bool

// kept reports whether a frame belongs to the side that remains. The client is who sends the first packet, unless that is a SYN-ACK. Frames
// without IP belong to both.
func (d directions) kept(f *frame, link layers.LinkType, client bool) bool {
	p := gopacket.NewPacket(f.data, link, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	n := p.NetworkLayer()
	if n == nil {
		return true
	}
	k := conversation{network: n.NetworkFlow()}
	answer := false
	if t := p.TransportLayer(); t != nil {
		k.transport = t.TransportFlow()
		tcp, ok := t.(*layers.TCP)
		answer = ok && tcp.SYN && tcp.ACK
	}
	from, known := d[k]
	if !known {
		from = !answer
		d[k] = from
		d[conversation{k.network.Reverse(), k.transport.Reverse()}] = !from
	}
	return from == client
}

// apply writes the changed capture to a file. Random choices depend on the name of the capture only.
func (c *change) apply(name, from, to string) error {
	link, frames, err := readCapture(from)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, name) // never fails
	keep := c.keep(rand.New(rand.NewPCG(13, h.Sum64())), link)
	w, err := os.Create(to)
	if err != nil {
		return err
	}
	pw := pcapgo.NewWriterNanos(w)
	err = pw.WriteFileHeader(1<<18, link)
	for i := range frames {
		for n := keep(&frames[i]); n > 0 && err == nil; n-- {
			err = pw.WritePacket(frames[i].info, frames[i].data)
			frames[i].info.Timestamp = frames[i].info.Timestamp.Add(2 * time.Microsecond) // of the second copy
		}
	}
	return errors.Join(err, w.Close())
}

// readCapture returns the frames of a pcap file. A damaged end is left out, as the sensor does.
func readCapture(path string) (layers.LinkType, []frame, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	r, err := pcapgo.NewReader(f)
	if err != nil {
		return 0, nil, err
	}
	var frames []frame
	for {
		data, info, err := r.ReadPacketData()
		if err != nil {
			slices.SortStableFunc(frames, func(a, b frame) int { return a.info.Timestamp.Compare(b.info.Timestamp) })
			return r.LinkType(), frames, nil
		}
		frames = append(frames, frame{info, data})
	}
}
