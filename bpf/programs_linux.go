// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// Config says how the programs work. The zero value of a field means its default.
type Config struct {
	Drop          bool   // XDP_DROP instead of XDP_PASS: for a port that serves nothing else
	Sessions      uint32 // entries of the session table, of 200 bytes each; 262144
	RingBytes     uint32 // size of the ring buffer: a power of two and of pages; 16 MiB
	HeadBytes     uint32 // of each direction of TCP that are copied, by sequence number; 16 KiB
	HeadSegments  uint32 // with payload of each direction of TCP that are copied at least; 8
	HeadDatagrams uint32 // packets of each direction of every other protocol that are copied; 64
}

// Programs are the loaded programs with their maps. Methods may be called from any goroutine.
type Programs struct {
	prog  *ebpf.Program
	sweep *ebpf.Program
	coll  *ebpf.Collection

	mu    sync.Mutex
	link  link.Link
	watch watchList
	full  map[Key]bool
}

// Load loads the XDP program. It needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; an error that says what is missing is an *UnsupportedError.
func Load(cfg Config) (*Programs, error) {
	spec, err := loadWatch()
	if err != nil {
		return nil, fmt.Errorf("reading the embedded XDP program: %w", err)
	}
	return load(spec, "watch", cfg)
}

func load(spec *ebpf.CollectionSpec, program string, cfg Config) (*Programs, error) {
	if err := cfg.apply(spec); err != nil {
		return nil, err
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, explainLoad(err)
	}
	return &Programs{
		coll: coll, prog: coll.Programs[program], sweep: coll.Programs["sweep"],
		watch: watchList{prefixes: map[netip.Prefix]bool{}, macs: map[[6]byte]bool{}, generation: 1}, full: map[Key]bool{},
	}, nil
}

// apply puts the configuration into a specification.
func (c Config) apply(spec *ebpf.CollectionSpec) error {
	const xdpDrop = 1
	if c.Sessions != 0 {
		spec.Maps["sessions"].MaxEntries = c.Sessions
	}
	if c.RingBytes != 0 {
		spec.Maps["ring"].MaxEntries = c.RingBytes
	}
	set := func(name string, v uint32) error {
		if v == 0 || spec.Variables[name] == nil {
			return nil
		}
		return spec.Variables[name].Set(v)
	}
	drop := uint32(0)
	if c.Drop {
		drop = xdpDrop
	}
	return errors.Join(set("verdict", drop), set("head_bytes", c.HeadBytes), set("head_segments", c.HeadSegments),
		set("head_datagrams", c.HeadDatagrams))
}

// Close detaches the program and releases everything.
func (p *Programs) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	if p.link != nil {
		err = p.link.Close()
		p.link = nil
	}
	p.coll.Close()
	return err
}

// Sweep puts what is counted and not told of every session into the ring buffer, behind the packets that are there. The
// kernel does it, so that no count is taken twice or lost between reading and setting it back. If the ring buffer becomes full,
// the rest stays for the next time.
func (p *Programs) Sweep() error {
	_, err := p.sweep.Run(&ebpf.RunOptions{})
	return err
}

// FullCopy switches the copying of a whole session on or off.
func (p *Programs) FullCopy(k Key, on bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.coll.Maps["full_copy"]
	switch {
	case on == p.full[k]:
		return nil
	case on:
		if err := m.Put(&k, uint8(1)); err != nil {
			return fmt.Errorf("full copy of a session: %w", err)
		}
		p.full[k] = true
	default:
		if err := m.Delete(&k); err != nil {
			return fmt.Errorf("end of the full copy of a session: %w", err)
		}
		delete(p.full, k)
	}
	return p.set("full_sessions", len(p.full))
}

func (p *Programs) set(variable string, n int) error {
	return p.coll.Variables[variable].Set(uint32(n))
}

// Counters is what the program has counted since it was loaded.
type Counters struct {
	Reasons [NumReasons]Counter
	// Evicted counts packets that were counted in a session, whose entry then had to make room before they were told: at least so
	// many. It is exact when Sweep has been called and nothing came meanwhile.
	Evicted uint64
}

// Counters reads the counters of all processors.
func (p *Programs) Counters() (c Counters, err error) {
	var perCPU []Counter
	for r := range c.Reasons {
		if err = p.coll.Maps["reasons"].Lookup(uint32(r), &perCPU); err != nil {
			return c, fmt.Errorf("reading counters of the program: %w", err)
		}
		for _, x := range perCPU {
			c.Reasons[r].Packets += x.Packets
			c.Reasons[r].Bytes += x.Bytes
		}
	}
	return c, nil
}
