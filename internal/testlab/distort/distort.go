// SPDX-License-Identifier: Apache-2.0

// Package distort changes a capture the way that a badly set-up mirror port does: frames come twice, with another VLAN tag, without a
// direction, or not at all. The same seed gives the same frames.
package distort

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"stillwatch/internal/testlab/netsim"
)

// Capture is a capture in memory. The bytes of a frame are not changed in place.
type Capture struct {
	Link   layers.LinkType
	Frames []netsim.Frame
}

// Read reads a pcap or pcapng file. Of a damaged file it returns the frames before the damage.
func Read(path string) (*Capture, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r interface {
		ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
		LinkType() layers.LinkType
	}
	if len(raw) >= 4 && binary.BigEndian.Uint32(raw) == 0x0a0d0d0a {
		r, err = pcapgo.NewNgReader(bytes.NewReader(raw), pcapgo.DefaultNgReaderOptions)
	} else {
		r, err = pcapgo.NewReader(bytes.NewReader(raw))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	c := &Capture{Link: r.LinkType()}
	for {
		data, info, err := r.ReadPacketData()
		if err != nil {
			return c, nil
		}
		c.Frames = append(c.Frames, netsim.Frame{Time: info.Timestamp, Data: data, Len: info.Length})
	}
}

// WriteTo writes c as a pcap file with nanoseconds.
func (c *Capture) WriteTo(w io.Writer) (int64, error) {
	b := new(bytes.Buffer)
	pw := pcapgo.NewWriterNanos(b)
	if err := pw.WriteFileHeader(65535, c.Link); err != nil {
		return 0, fmt.Errorf("write pcap header: %w", err)
	}
	for _, f := range c.Frames {
		info := gopacket.CaptureInfo{Timestamp: f.Time, CaptureLength: len(f.Data), Length: f.Len}
		if err := pw.WritePacket(info, f.Data); err != nil {
			return 0, fmt.Errorf("write frame: %w", err)
		}
	}
	return b.WriteTo(w)
}

// Distortion is one fault of a mirror port.
type Distortion struct {
	Name    string
	Twice   bool    // every frame comes twice and none is missing, so the sensor must count what it counts without the fault
	Jaccard float64 // least similarity to the alerts without the fault, over the stories
	apply   func(c *Capture, rng *rand.Rand) []netsim.Frame
}

// Apply returns the capture as it is with the fault.
func (d *Distortion) Apply(c *Capture, seed uint64) *Capture {
	return &Capture{c.Link, d.apply(c, rand.New(rand.NewPCG(seed, 0x6d6972726f72)))}
}

// All returns the faults.
func All() []Distortion {
	return []Distortion{
		{"both ports of a path mirrored", true, 0.95, copies(same)},
		{"the same, in the order of two queues", true, 0.95, queues},
		{"RSPAN with both VLANs", true, 0.95, copies(tag(200))},
		{"VLAN tag in one direction", false, 0.95, tagOneWay},
		{"both sides of a router mirrored", true, 0.95, copies(hop)},
		{"1 % loss", false, 0.9, lose(0.01)},
		{"5 % loss", false, 0.8, lose(0.05)},
		{"10 % loss", false, 0.7, lose(0.10)},
		{"requests only", false, 0, direction(true)},
		{"answers only", false, 0, direction(false)},
		{"1:10 sampling", false, 0, lose(0.90)},
	}
}

// copies adds to each frame a copy, changed by f, that arrives 1 to 200 microseconds later.
func copies(f func(netsim.Frame) netsim.Frame) func(*Capture, *rand.Rand) []netsim.Frame {
	return func(c *Capture, rng *rand.Rand) []netsim.Frame {
		var out []netsim.Frame
		for _, x := range c.Frames {
			again := x
			if c.Link == layers.LinkTypeEthernet {
				again = f(x)
			}
			again.Time = x.Time.Add(delay(rng))
			out = append(out, x, again)
		}
		slices.SortStableFunc(out, func(a, b netsim.Frame) int { return a.Time.Compare(b.Time) })
		return out
	}
}

func delay(rng *rand.Rand) time.Duration { return time.Duration(1+rng.IntN(200)) * time.Microsecond }

func same(f netsim.Frame) netsim.Frame { return f }

// queues copies each frame and keeps the times: the copies arrive up to 200 microseconds later, and may be stamped earlier than the frames
// before them.
func queues(c *Capture, rng *rand.Rand) []netsim.Frame {
	type arrival struct {
		netsim.Frame
		at time.Time
	}
	var all []arrival
	for _, x := range c.Frames {
		all = append(all, arrival{x, x.Time.Add(delay(rng))}, arrival{x, x.Time.Add(delay(rng))})
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return a.at.Compare(b.at) })
	out := make([]netsim.Frame, len(all))
	for i, a := range all {
		out[i] = a.Frame
	}
	return out
}

// lose drops each frame with a probability.
func lose(share float64) func(*Capture, *rand.Rand) []netsim.Frame {
	return func(c *Capture, rng *rand.Rand) (out []netsim.Frame) {
		for _, x := range c.Frames {
			if rng.Float64() >= share {
				out = append(out, x)
			}
		}
		return out
	}
}

// direction keeps the frames of the end that sent the first packet of a session, or those of the other end. Frames without IP are kept.
func direction(requests bool) func(*Capture, *rand.Rand) []netsim.Frame {
	return func(c *Capture, _ *rand.Rand) (out []netsim.Frame) {
		first := firstSenders{}
		for _, x := range c.Frames {
			if from, ok := first.opener(c.Link, x.Data); !ok || from == requests {
				out = append(out, x)
			}
		}
		return out
	}
}

// tagOneWay tags the frames of the end that sent the first packet of a session.
func tagOneWay(c *Capture, _ *rand.Rand) (out []netsim.Frame) {
	first := firstSenders{}
	for _, x := range c.Frames {
		if from, ok := first.opener(c.Link, x.Data); ok && from && c.Link == layers.LinkTypeEthernet {
			x = tag(200)(x)
		}
		out = append(out, x)
	}
	return out
}

// firstSenders holds who sent the first packet of each five-tuple.
type firstSenders map[[2]gopacket.Flow]gopacket.Endpoint

// opener reports whether the sender of a frame sent the first packet of its session; ok is false for a frame without an IP header.
func (s firstSenders) opener(link layers.LinkType, data []byte) (from, ok bool) {
	p := gopacket.NewPacket(data, link, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	n := p.NetworkLayer()
	if n == nil {
		return false, false
	}
	key, sender := [2]gopacket.Flow{n.NetworkFlow()}, n.NetworkFlow().Src()
	if t := p.TransportLayer(); t != nil {
		key[1] = t.TransportFlow()
	}
	back := [2]gopacket.Flow{key[0].Reverse(), key[1].Reverse()}
	if who, known := s[back]; known {
		return who == sender, true
	}
	if who, known := s[key]; known {
		return who == sender, true
	}
	s[key] = sender
	return true, true
}
