// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"stillwatch/bpf"
	"stillwatch/sensor/internal/packet"
)

// LookAtPort reads the configuration of an interface, and the state of the clock.
func LookAtPort(name string) (*Port, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	p := &Port{Name: name, MTU: i.MTU, Up: i.Flags&net.FlagUp != 0, Running: i.Flags&net.FlagRunning != 0, Addresses: []string{}, Modes: []Mode{}, synced: synced()}
	copy(p.mac[:], i.HardwareAddr)
	p.MAC = i.HardwareAddr.String()
	addresses, err := i.Addrs()
	if err != nil {
		return nil, fmt.Errorf("interface %s: addresses: %w", name, err)
	}
	for _, a := range addresses {
		p.Addresses = append(p.Addresses, a.String())
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			p.addrs = append(p.addrs, packet.AddrOf(prefix.Addr()))
		}
	}
	return p, p.offloads()
}

// TryModes attaches the XDP program for a moment in each mode. Some drivers lose a few packets.
func (p *Port) TryModes() {
	found, err := bpf.Probe(p.Name)
	if err != nil {
		return // the interface is gone
	}
	p.Modes = []Mode{}
	for _, f := range found {
		p.Modes = append(p.Modes, Mode{f.Mode.String(), text(f.Err)})
	}
}

// offloads queries the driver with the ethtool ioctl. Unsupported values stay nil.
func (p *Port) offloads() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	if info, err := unix.IoctlGetEthtoolDrvinfo(fd, p.Name); err == nil {
		p.Driver = string(bytes.TrimRight(info.Driver[:], "\x00"))
	}
	const lro = 1 << 15 // ETH_FLAG_LRO of linux/ethtool.h
	if v, ok := ethtool(fd, p.Name, unix.ETHTOOL_GGRO); ok {
		on := v != 0
		p.GRO = &on
	}
	if v, ok := ethtool(fd, p.Name, unix.ETHTOOL_GFLAGS); ok {
		on := v&lro != 0
		p.LRO = &on
	}
	return nil
}

// ethtool runs a command that returns one number (struct ethtool_value).
func ethtool(fd int, name string, command uint32) (uint32, bool) {
	value := struct{ cmd, data uint32 }{cmd: command}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // struct ifreq has a union of 24 bytes here
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	return value.data, e == 0
}
