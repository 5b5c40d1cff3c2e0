// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// Config configures the programs. A zero field means its default, which its comment names.
type Config struct {
	SnapLen       uint32 // of the socket filter: bytes of a frame for the socket; all
	Drop          bool   // XDP_DROP instead of XDP_PASS, for a port that is only a mirror
	Sessions      uint32 // entries of the session table, of 200 bytes each; 262144
	RingBytes     uint32 // size of the ring buffer: a power of two and of pages; 16 MiB
	HeadBytes     uint32 // bytes of each direction of TCP that are copied, by sequence number; 16 KiB
	HeadSegments  uint32 // segments with payload of each direction of TCP that are always copied; 8
	HeadDatagrams uint32 // packets of each direction of other protocols that are copied; 64
	// Idle is after which time without packets a session is copied from its start again; 15 s. It is shorter than the session timeouts of
	// user space, so that a session that is new there has its start.
	Idle      time.Duration
	NoShunt   bool // copy every packet of a watched session, and keep no sessions
	CountOnly bool // copy only the packets that open and end a session: HeadBytes, HeadSegments and HeadDatagrams are 0
}

// Programs is the loaded programs with their maps. Its methods may be called from any goroutine.
type Programs struct {
	prog  *ebpf.Program
	sweep *ebpf.Program
	coll  *ebpf.Collection

	mu    sync.Mutex // guards the following fields, and the maps against Close
	done  bool
	link  link.Link
	watch watchList
	full  map[Key]bool
	// sessions counts packets whose counts were evicted with their session, openings the SYN and SYN-ACK packets that were.
	sessions, openings eviction
}

// eviction finds how many entries a map has evicted, from how many went in and how many are there or came out.
type eviction struct {
	missing uint64 // at the last Sweep
	evicted uint64 // the most that were missing twice in a row: once may be those that another processor was working on
}

func (e *eviction) update(in, out uint64) {
	missing := max(in, out) - out
	e.evicted = max(e.evicted, min(missing, e.missing))
	e.missing = missing
}

// Load loads the XDP program. It needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON. The error is an *UnsupportedError if something is missing.
func Load(cfg Config) (*Programs, error) {
	if cfg.SnapLen != 0 {
		return nil, errors.New("XDP has no snap length: it copies complete frames")
	}
	spec, err := loadWatch()
	if err != nil {
		return nil, fmt.Errorf("reading the embedded XDP program: %w", err)
	}
	return load(spec, "watch", cfg, capBPF, capPerfmon, capNetAdmin)
}

// LoadFilter loads the socket filter. Attach it with FD and SO_ATTACH_BPF to a socket, which then receives the packets that it passes. The counts
// of sessions come from the Reader, as with XDP. It needs CAP_BPF and CAP_PERFMON.
func LoadFilter(cfg Config) (*Programs, error) {
	if cfg.Drop {
		return nil, errors.New("a socket filter cannot drop packets for other programs")
	}
	spec, err := loadFilter()
	if err != nil {
		return nil, fmt.Errorf("reading the embedded socket filter: %w", err)
	}
	return load(spec, "filter", cfg, capBPF, capPerfmon)
}

func load(spec *ebpf.CollectionSpec, program string, cfg Config, need ...capability) (*Programs, error) {
	if err := cfg.apply(spec); err != nil {
		return nil, err
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, explainLoad(err, need...)
	}
	return &Programs{
		coll: coll, prog: coll.Programs[program], sweep: coll.Programs["sweep"],
		watch: watchList{prefixes: map[netip.Prefix]bool{}, macs: map[[6]byte]bool{}, generation: 1}, full: map[Key]bool{},
	}, nil
}

// apply sets the configuration in a specification.
func (c Config) apply(spec *ebpf.CollectionSpec) error {
	if c.Sessions != 0 {
		spec.Maps["sessions"].MaxEntries = c.Sessions
	}
	if c.RingBytes != 0 {
		spec.Maps["ring"].MaxEntries = c.RingBytes
	}
	set := func(name string, v uint32, is bool) error {
		if !is {
			return nil
		}
		return spec.Variables[name].Set(v)
	}
	head := func(name string, v uint32) error {
		if c.CountOnly {
			v = 0
		}
		return set(name, v, v != 0 || c.CountOnly)
	}
	if c.Idle != 0 {
		if err := spec.Variables["idle"].Set(uint64(c.Idle)); err != nil {
			return err
		}
	}
	if c.NoShunt {
		if err := spec.Variables["shunt"].Set(uint32(0)); err != nil {
			return err
		}
	}
	return errors.Join(set("verdict", xdpDrop, c.Drop), set("snap", c.SnapLen, c.SnapLen != 0), head("head_bytes", c.HeadBytes), head("head_segments", c.HeadSegments),
		head("head_datagrams", c.HeadDatagrams))
}

// Try runs the program on a frame as if it came from an interface, and returns its verdict: XDP_PASS or XDP_DROP, for the filter the number of
// bytes that pass. The frame must have at least 14 bytes.
func (p *Programs) Try(f []byte) (verdict uint32, err error) {
	verdict, err = p.prog.Run(&ebpf.RunOptions{Data: p.trial(f)})
	if err != nil {
		return 0, fmt.Errorf("running the program on a frame of %d bytes: %w", len(f), err)
	}
	return verdict, nil
}

// trial returns the input for a test run with a frame. The kernel removes an Ethernet header before it runs a socket filter.
func (p *Programs) trial(f []byte) []byte {
	if p.prog.Type() == ebpf.SocketFilter {
		return append(make([]byte, 14), f...)
	}
	return f
}

// FD returns the file descriptor of the program, for SO_ATTACH_BPF.
func (p *Programs) FD() int { return p.prog.FD() }

// Close detaches the program and releases everything.
func (p *Programs) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return nil
	}
	p.done = true
	var err error
	if p.link != nil {
		err = p.link.Close()
	}
	p.coll.Close()
	return err
}

// lock locks p for access to the maps. It returns os.ErrClosed after Close. The caller unlocks in any case.
func (p *Programs) lock() error {
	p.mu.Lock()
	if p.done {
		return os.ErrClosed
	}
	return nil
}

// Sweep makes the kernel put the counts of every session into the ring buffer, after the packets there. The kernel does it, so that no count is
// reported twice or lost between reading and resetting it. It fills at most half of the ring buffer: if there are more, the caller reads the
// ring buffer and calls Sweep again.
func (p *Programs) Sweep() (more bool, err error) {
	defer p.mu.Unlock()
	if err := p.lock(); err != nil {
		return false, err
	}
	counted, err := p.counted()
	if err != nil {
		return false, err
	}
	left, err := p.sweep.Run(&ebpf.RunOptions{})
	if err != nil {
		return false, fmt.Errorf("reading the counts of sessions: %w", err)
	}
	e, err := p.events()
	if err != nil || left != 0 {
		return left != 0, err
	}
	var waiting uint32
	if err := p.coll.Variables["waiting"].Get(&waiting); err != nil {
		return false, fmt.Errorf("reading the number of openings: %w", err)
	}
	p.sessions.update(counted, e[eventTold])
	p.openings.update(e[eventOpening], e[eventAgreed]+uint64(waiting))
	return false, nil
}

// counted returns the number of packets that were counted in sessions.
func (p *Programs) counted() (uint64, error) {
	c, err := p.reason(Shunted)
	if err != nil {
		return 0, err
	}
	e, err := p.events()
	return c.Packets + e[eventLostCounted], err
}

// FullCopy switches the full copy of a session on or off.
func (p *Programs) FullCopy(k Key, on bool) error {
	defer p.mu.Unlock()
	if err := p.lock(); err != nil {
		return err
	}
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

// Counters returns the sum of the counters of all processors.
func (p *Programs) Counters() (c Counters, err error) {
	defer p.mu.Unlock()
	if err = p.lock(); err != nil {
		return c, err
	}
	for r := range c.Reasons {
		if c.Reasons[r], err = p.reason(Reason(r)); err != nil {
			return c, err
		}
	}
	c.Evicted, c.EvictedOpenings = p.sessions.evicted, p.openings.evicted
	return c, nil
}

func (p *Programs) reason(r Reason) (sum Counter, err error) {
	var perCPU []Counter
	if err = p.coll.Maps["reasons"].Lookup(uint32(r), &perCPU); err != nil {
		return sum, fmt.Errorf("reading counters of the program: %w", err)
	}
	for _, x := range perCPU {
		sum.Packets += x.Packets
		sum.Bytes += x.Bytes
	}
	return sum, nil
}

// events returns the counters of events.
func (p *Programs) events() (sum [numEvents]uint64, err error) {
	var perCPU []uint64
	for e := range sum {
		if err = p.coll.Maps["events"].Lookup(uint32(e), &perCPU); err != nil {
			return sum, fmt.Errorf("reading counters of the program: %w", err)
		}
		for _, x := range perCPU {
			sum[e] += x
		}
	}
	return sum, nil
}
