// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Mode is where an XDP program runs.
type Mode uint8

// The modes, fastest first.
const (
	Offload Mode = iota + 1 // in the network card
	Native                  // in the driver, before the kernel allocates a socket buffer
	Generic                 // in the kernel, for any driver
)

func (m Mode) String() string {
	return [...]string{"none", "offload", "native", "generic"}[m]
}

func (m Mode) flags() link.XDPAttachFlags {
	return map[Mode]link.XDPAttachFlags{Offload: link.XDPOffloadMode, Native: link.XDPDriverMode, Generic: link.XDPGenericMode}[m]
}

// Modes returns all modes, fastest first.
func Modes() []Mode { return []Mode{Offload, Native, Generic} }

// Finding is whether a mode works on an interface: Err is nil, or an *UnsupportedError with the reason.
type Finding struct {
	Mode Mode
	Err  error
}

// Probe attaches the program to an interface in each mode, and detaches it at once. A driver may reset its queues for that and lose a few
// packets.
func Probe(iface string) ([]Finding, error) {
	ifc, err := interfaceByName(iface)
	if err != nil {
		return nil, err
	}
	var all []Finding
	p, err := Load(Config{Sessions: 1 << 10, RingBytes: 1 << 17})
	if err != nil {
		for _, m := range Modes() {
			all = append(all, Finding{m, err})
		}
		return all, nil
	}
	for _, m := range Modes() {
		l, err := p.attach(ifc, m)
		if err == nil {
			err = l.Close()
		}
		all = append(all, Finding{m, err})
	}
	return all, p.Close()
}

const xdpDrop, xdpPass = 1, 2

// Attach attaches the program to an interface, in the first of modes that works, by default all modes, fastest first. It returns that mode, and
// why those before it do not work.
func (p *Programs) Attach(iface string, modes ...Mode) (Mode, []Finding, error) {
	ifc, err := interfaceByName(iface)
	if err != nil {
		return 0, nil, err
	}
	if len(modes) == 0 {
		modes = Modes()
	}
	defer p.mu.Unlock()
	if err := p.lock(); err != nil {
		return 0, nil, err
	}
	if p.link != nil {
		return 0, nil, errors.New("the XDP program is attached already")
	}
	var refused []Finding
	var errs []error
	for _, m := range modes {
		l, err := p.attach(ifc, m)
		if err == nil {
			p.link = l
			return m, refused, nil
		}
		refused, errs = append(refused, Finding{m, err}), append(errs, err)
	}
	return 0, refused, errors.Join(errs...)
}

// Reattach attaches the program to another interface, by its index, in the given mode. The interface before is gone. Unlike Attach it needs no
// privilege on Linux 5.19 and newer, except in the mode Offload, because the program is loaded.
func (p *Programs) Reattach(index int, m Mode) error {
	defer p.mu.Unlock()
	if err := p.lock(); err != nil {
		return err
	}
	if p.link != nil {
		_ = p.link.Close() // its interface is gone
		p.link = nil
	}
	ifc := &net.Interface{Index: index, Name: fmt.Sprint("interface ", index)}
	l, err := p.attach(ifc, m)
	p.link = l
	return err
}

func (p *Programs) attach(ifc *net.Interface, m Mode) (link.Link, error) {
	prog := p.prog
	if m == Offload {
		card, err := p.forCard(ifc.Index)
		if err != nil {
			return nil, explainAttach(ifc.Name, m, err)
		}
		defer card.Close() // the link keeps the program
		prog = card.Programs["watch"]
	}
	l, err := link.AttachXDP(link.XDPOptions{Program: prog, Interface: ifc.Index, Flags: m.flags()})
	if err != nil {
		return nil, explainAttach(ifc.Name, m, err)
	}
	return l, nil
}

// forCard loads the program again for the network card of an interface, with the maps that user space reads. Current kernels refuse that: a card
// supports only its own arrays and hash tables (kernel/bpf/offload.c), and no multi-buffer frames. The kernel is asked each time, because that may
// change.
func (p *Programs) forCard(ifindex int) (*ebpf.Collection, error) {
	spec, err := loadWatch()
	if err != nil {
		return nil, err
	}
	delete(spec.Programs, "sweep")
	spec.Programs["watch"].Ifindex = uint32(ifindex)
	spec.Programs["watch"].Flags &^= unix.BPF_F_XDP_HAS_FRAGS
	for name, m := range p.coll.Maps { // their configured sizes
		spec.Maps[name].MaxEntries = m.MaxEntries()
	}
	return ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: p.coll.Maps})
}

func interfaceByName(name string) (*net.Interface, error) {
	ifc, err := net.InterfaceByName(name)
	if err != nil {
		return nil, &UnsupportedError{Kind: MissingInterface, What: "interface " + name, Reason: "no interface has that name", Err: err}
	}
	return ifc, nil
}

func explainAttach(iface string, m Mode, err error) error {
	e := &UnsupportedError{Kind: MissingDriver, What: fmt.Sprintf("XDP in %s mode on %s", m, iface), Err: err}
	switch {
	case errors.Is(err, unix.EPERM):
		e.Kind, e.Reason = MissingCapability, "it needs CAP_NET_ADMIN"
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		e.Kind, e.Reason = InUse, "another XDP program is attached (see ip link show "+iface+")"
	case m == Offload:
		e.Reason = "the network card does not run it"
		if why := objection(err); why != "" {
			e.Reason += ": " + why
		}
	case errors.Is(err, unix.EOPNOTSUPP) && m == Native:
		e.Reason = "the driver has no XDP"
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ERANGE), errors.Is(err, unix.E2BIG):
		e.Reason = "the driver refuses it with the MTU, the queues or the offloads of the interface (see dmesg)"
	default:
		e.Reason = "the kernel refuses it"
	}
	return e
}

// objection returns the last message of the verifier, "" if the program was refused before verification.
func objection(err error) string {
	v, ok := errors.AsType[*ebpf.VerifierError](err)
	if !ok {
		return ""
	}
	for _, line := range slices.Backward(v.Log) {
		if !strings.HasPrefix(line, "processed ") { // statistics
			return strings.TrimSpace(line)
		}
	}
	return ""
}
