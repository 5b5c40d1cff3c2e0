// SPDX-License-Identifier: Apache-2.0

// Package trace generates captures for benchmarks and load tests: the traffic of an office with cameras, a million concurrent
// sessions, a hundred thousand devices, and floods. The same Config produces the same bytes.
package trace

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
)

// The kinds of traces.
const (
	Office    = "office"    // the reference trace: 4 million packets, 143 thousand sessions, ten minutes
	Sessions  = "sessions"  // TCP sessions that are all open at the same time
	Devices   = "devices"   // devices that each announce themselves and open a few sessions
	SYNFlood  = "synflood"  // SYNs from random sources to one host
	MACFlood  = "macflood"  // frames from random source MAC addresses
	DNSFlood  = "dnsflood"  // queries for random names, with their negative answers
	FragFlood = "fragflood" // IP fragments of datagrams that are never complete
)

// Start is the time of the first packet if the Config has none: 2026-03-02 09:00 UTC, a Monday, in nanoseconds.
const Start = 1772442000_000000000

// Config describes a trace. Zero fields have the default of the kind.
type Config struct {
	Kind     string
	Packets  int    // office and floods: frames, excluding the story
	Sessions int    // office, sessions: distinct 5-tuples
	Devices  int    // devices
	Seed     uint64 // 0 is a valid seed
	Start    int64  // nanoseconds since the Unix epoch
	Seconds  int    // capture time of the trace; a flood with a longer story takes longer
	Story    []Packet
}

// Summary has the counts of a trace.
type Summary struct {
	Packets  int   // including the story
	Sessions int   // distinct five-tuples, excluding the story; 0 for floods
	Bytes    int64 // of the file
}

// kind is the generator of one kind of trace, with its defaults.
type kind struct {
	defaults Config
	generate func(*generator) error
}

// kinds is read-only.
var kinds = map[string]kind{
	Office:    {Config{Packets: 4_000_000, Sessions: 143_000, Seconds: 600}, (*generator).office},
	Sessions:  {Config{Sessions: 1_000_000, Seconds: 300}, (*generator).sessions},
	Devices:   {Config{Devices: 100_000, Seconds: 600}, (*generator).devices},
	SYNFlood:  {Config{Packets: 1_000_000, Seconds: 60}, (*generator).synFlood},
	MACFlood:  {Config{Packets: 1_000_000, Seconds: 60}, (*generator).macFlood},
	DNSFlood:  {Config{Packets: 2_000_000, Seconds: 60}, (*generator).dnsFlood},
	FragFlood: {Config{Packets: 1_000_000, Seconds: 60}, (*generator).fragFlood},
}

// Kinds lists the kinds in alphabetical order.
func Kinds() (names []string) {
	for k := range kinds {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// generator is the state of one trace.
type generator struct {
	Config
	out   *output
	rng   *rand.Rand
	end   int64 // of the capture time
	noise []byte
	flows []flow
	ports map[*host]uint16
	made  int // sessions
}

// Write generates a trace and writes it as a pcap file. It fails if the kind is unknown, if a count cannot be met, or
// if w fails.
func Write(w io.Writer, c Config) (Summary, error) {
	k, ok := kinds[c.Kind]
	if !ok {
		return Summary{}, fmt.Errorf("unknown kind of trace %q: one of %s", c.Kind, strings.Join(Kinds(), ", "))
	}
	if c.Packets < 0 || c.Sessions < 0 || c.Devices < 0 || c.Seconds < 0 {
		return Summary{}, fmt.Errorf("a count is negative")
	}
	c.Packets = cmp.Or(c.Packets, k.defaults.Packets)
	c.Sessions = cmp.Or(c.Sessions, k.defaults.Sessions)
	c.Devices = cmp.Or(c.Devices, k.defaults.Devices)
	c.Seconds = cmp.Or(c.Seconds, k.defaults.Seconds)
	c.Start = cmp.Or(c.Start, Start)
	g := newGenerator(w, c)
	if err := k.generate(g); err != nil {
		return Summary{}, err
	}
	err := g.out.close()
	return Summary{Packets: g.out.packets, Sessions: g.made, Bytes: g.out.bytes}, err
}

func newGenerator(w io.Writer, c Config) *generator {
	g := &generator{Config: c, rng: rand.New(rand.NewPCG(c.Seed, 0x5eed)), ports: map[*host]uint16{}}
	span := int64(c.Seconds) * second
	story, length := shift(c.Story, c.Start, span)
	g.end = c.Start + max(span, length)
	g.out = newOutput(w, story)
	g.noise = make([]byte, noiseLen+maxSegment)
	for i := range g.noise {
		g.noise[i] = byte(g.rng.Uint32())
	}
	return g
}
