// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"net"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Mode is where an XDP program runs.
type Mode uint8

// The modes, fastest first.
const (
	Offload Mode = iota + 1 // in the network card
	Native                  // in the driver, before the packet has a buffer of the kernel
	Generic                 // in the kernel, for any driver
)

func (m Mode) String() string {
	return [...]string{"none", "offload", "native", "generic"}[m]
}

func (m Mode) flags() link.XDPAttachFlags {
	return map[Mode]link.XDPAttachFlags{Offload: link.XDPOffloadMode, Native: link.XDPDriverMode, Generic: link.XDPGenericMode}[m]
}

// Modes gives all modes, fastest first.
func Modes() []Mode { return []Mode{Offload, Native, Generic} }

// Finding says whether a mode works on an interface: Err is nil, or an *UnsupportedError with the reason.
type Finding struct {
	Mode Mode
	Err  error
}

// Probe tries each mode on an interface by attaching a program that passes everything, for an instant. A driver may set its
// queues up anew for that, at the price of a few packets.
func Probe(iface string) ([]Finding, error) {
	ifc, err := interfaceByName(iface)
	if err != nil {
		return nil, err
	}
	var all []Finding
	for _, m := range Modes() {
		all = append(all, Finding{m, probe(ifc, m)})
	}
	return all, nil
}

func probe(ifc *net.Interface, m Mode) error {
	spec := passing()
	if m == Offload {
		spec.Ifindex, spec.Flags = uint32(ifc.Index), 0
	}
	prog, err := ebpf.NewProgram(spec)
	if err != nil {
		if m == Offload && !errors.Is(err, unix.EPERM) {
			return explainAttach(ifc.Name, m, err)
		}
		return explainLoad(err, capBPF, capNetAdmin)
	}
	defer func() { _ = prog.Close() }() // nothing can be lost with it
	l, err := link.AttachXDP(link.XDPOptions{Program: prog, Interface: ifc.Index, Flags: m.flags()})
	if err != nil {
		return explainAttach(ifc.Name, m, err)
	}
	return l.Close()
}

// passing is a program that passes every packet.
func passing() *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{
		Name: "stillwatch_try", Type: ebpf.XDP, License: "Dual BSD/GPL", Flags: unix.BPF_F_XDP_HAS_FRAGS,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	}
}

const xdpDrop, xdpPass = 1, 2

// Attach makes the program see the packets of an interface, in the first of modes that works: without modes Native, then
// Generic. It gives the one that does, and why each before it does not. Offload needs a card that has maps of every kind that
// the program uses; none is known to.
func (p *Programs) Attach(iface string, modes ...Mode) (Mode, []Finding, error) {
	ifc, err := interfaceByName(iface)
	if err != nil {
		return 0, nil, err
	}
	if len(modes) == 0 {
		modes = []Mode{Native, Generic}
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
		l, err := link.AttachXDP(link.XDPOptions{Program: p.prog, Interface: ifc.Index, Flags: m.flags()})
		if err == nil {
			p.link = l
			return m, refused, nil
		}
		err = explainAttach(ifc.Name, m, err)
		refused, errs = append(refused, Finding{m, err}), append(errs, err)
	}
	return 0, refused, errors.Join(errs...)
}

func interfaceByName(name string) (*net.Interface, error) {
	ifc, err := net.InterfaceByName(name)
	if err != nil {
		return nil, &UnsupportedError{Kind: MissingInterface, What: "interface " + name, Reason: "there is none of that name", Err: err}
	}
	return ifc, nil
}

func explainAttach(iface string, m Mode, err error) error {
	e := &UnsupportedError{Kind: MissingDriver, What: fmt.Sprintf("XDP in %s mode on %s", m, iface), Err: err}
	switch {
	case errors.Is(err, unix.EPERM):
		e.Kind, e.Reason = MissingCapability, "it needs CAP_NET_ADMIN"
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		e.Kind, e.Reason = InUse, "another XDP program is attached (ip link show "+iface+" tells which)"
	case m == Offload:
		e.Reason = "the driver cannot run the program in the network card"
	case errors.Is(err, unix.EOPNOTSUPP) && m == Native:
		e.Reason = "the driver has no XDP"
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ERANGE), errors.Is(err, unix.E2BIG):
		e.Reason = "the driver refuses it with the MTU, the queues or the offloads as they are set (dmesg tells more)"
	default:
		e.Reason = "the kernel refuses it"
	}
	return e
}
