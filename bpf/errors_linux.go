// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"
)

// Missing is what an UnsupportedError lacks.
type Missing uint8

// The values of Missing.
const (
	MissingCapability Missing = iota + 1
	MissingKernel             // an option or a feature of the kernel
	MissingDriver             // a feature of the network driver
	MissingInterface
	InUse // another program is attached
)

// UnsupportedError reports what the kernel, the driver or the privileges do not support.
type UnsupportedError struct {
	Kind   Missing
	What   string // what was attempted
	Reason string // what is missing
	Err    error
}

func (e *UnsupportedError) Error() string {
	if _, code := errors.AsType[unix.Errno](e.Err); !code {
		return e.What + ": " + e.Reason
	}
	return fmt.Sprintf("%s: %s (%v)", e.What, e.Reason, rootCause(e.Err))
}

// Unwrap returns the error of the kernel.
func (e *UnsupportedError) Unwrap() error { return e.Err }

// rootCause returns the innermost error. The texts of the libraries around it repeat ours.
func rootCause(err error) error {
	for {
		u := errors.Unwrap(err)
		if u == nil {
			return err
		}
		err = u
	}
}

// capability is a capability with its number in linux/capability.h.
type capability struct {
	name string
	bit  uint
}

// Capabilities for loading. CAP_PERFMON is for arithmetic with packet pointers.
var (
	capBPF      = capability{"CAP_BPF", unix.CAP_BPF}
	capPerfmon  = capability{"CAP_PERFMON", unix.CAP_PERFMON}
	capNetAdmin = capability{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN}
)

// missingCapabilities returns the names of those in need that this thread lacks. CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON.
func missingCapabilities(need []capability) (names []string) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return nil
	}
	has := func(bit uint) bool { return data[bit/32].Effective&(1<<(bit%32)) != 0 }
	for _, c := range need {
		if !has(c.bit) && (c == capNetAdmin || !has(unix.CAP_SYS_ADMIN)) {
			names = append(names, c.name)
		}
	}
	return names
}

// explainLoad returns why the programs cannot be loaded. The log of the verifier is in the wrapped error (%+v).
func explainLoad(err error, need ...capability) error {
	e := &UnsupportedError{What: "loading the BPF programs", Err: err}
	denied := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) // EACCES is from the verifier, without CAP_PERFMON
	if missing := missingCapabilities(need); denied && len(missing) > 0 {
		e.Kind, e.Reason = MissingCapability, "it needs "+strings.Join(missing, ", ")
		return e
	}
	if what := missingFeature(); what != "" {
		e.Kind, e.Reason = MissingKernel, what
		return e
	}
	return fmt.Errorf("loading the BPF programs: %w", err)
}

// missingFeature probes each kernel feature that the programs use, and returns the first that is missing, "" if there is none.
func missingFeature() string {
	if errors.Is(features.HaveProgramType(ebpf.XDP), ebpf.ErrNotSupported) {
		return "the kernel has no XDP (CONFIG_BPF_SYSCALL, CONFIG_NET)"
	}
	for _, m := range []ebpf.MapType{ebpf.RingBuf, ebpf.LRUHash, ebpf.LPMTrie, ebpf.PerCPUArray} {
		if errors.Is(features.HaveMapType(m), ebpf.ErrNotSupported) {
			return fmt.Sprintf("the kernel has no BPF map of type %s", m)
		}
	}
	if errors.Is(features.HaveProgramType(ebpf.Syscall), ebpf.ErrNotSupported) {
		return "the kernel has no BPF program of type Syscall"
	}
	for _, h := range []asm.BuiltinFunc{asm.FnXdpLoadBytes, asm.FnXdpGetBuffLen, asm.FnRingbufReserve, asm.FnKtimeGetNs} {
		if errors.Is(features.HaveProgramHelper(ebpf.XDP, h), ebpf.ErrNotSupported) {
			return fmt.Sprintf("the kernel has no BPF helper %s for XDP", h)
		}
	}
	if errors.Is(features.HaveProgramHelper(ebpf.Syscall, asm.FnForEachMapElem), ebpf.ErrNotSupported) {
		return "the kernel has no BPF helper bpf_for_each_map_elem"
	}
	return ""
}
