// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"stillwatch/bpf"
	"stillwatch/sensor/internal/packet"
)

// OpenLive opens an interface in the configured mode. The error names what is missing.
func OpenLive(cfg LiveConfig) (*Live, error) {
	why := "requested"
	switch {
	case cfg.Mode == ModeXDP:
		return openXDP(cfg, why)
	case cfg.Mode == ModeAuto && cfg.Rings+cfg.SnapLen == 0:
		l, err := openXDP(cfg, "the fastest mode that works here")
		if err == nil {
			return l, nil
		}
		why = "XDP is not available: " + err.Error()
	case cfg.Mode == ModeAuto:
		why = "rings and a snap length need AF_PACKET"
	}
	l, err := openAFPacket(cfg, why)
	if err != nil && cfg.Mode == ModeAuto && !strings.Contains(why, err.Error()) { // else the interface is the problem
		return nil, fmt.Errorf("%s; AF_PACKET: %w", why, err)
	}
	return l, err
}

// openAFPacket opens the interface with a socket filter if not all devices are watched. If the kernel has none, all frames are read.
func openAFPacket(cfg LiveConfig, why string) (*Live, error) {
	port := AFPacketConfig{Iface: cfg.Iface, Rings: cfg.Rings, RingBytes: cfg.RingBytes, SnapLen: cfg.SnapLen, Wait: cfg.Wait}
	if len(cfg.Watch)+len(cfg.WatchMACs) > 0 {
		f, err := openFiltered(port, cfg.Watch, cfg.WatchMACs)
		if err == nil {
			return &Live{Source: f, Mode: ModeAFPacket, Why: why + "; a socket filter drops packets of devices that are not watched", Maps: true}, nil
		}
		if _, ok := errors.AsType[*bpf.UnsupportedError](err); !ok {
			return nil, err
		}
		why += "; packets of devices that are not watched are received too: " + err.Error()
	}
	s, err := OpenAFPacket(port)
	if err != nil {
		return nil, err
	}
	return &Live{Source: s, Mode: ModeAFPacket, Why: why}, nil
}

// openXDP attaches the XDP program in the fastest mode that works. Live.Why says why faster ones did not.
func openXDP(cfg LiveConfig, why string) (*Live, error) {
	x, err := OpenXDP(XDPConfig{Iface: cfg.Iface, Prefixes: cfg.Watch, MACs: cfg.WatchMACs, Wait: cfg.Wait, Program: bpf.Config{Drop: cfg.Drop}})
	if err != nil {
		return nil, err
	}
	for _, f := range x.Refused {
		why += "; " + f.Err.Error()
	}
	return &Live{Source: x, Mode: ModeXDP + " " + x.Mode.String(), Why: why, Maps: true}, nil
}

// SetWatch changes the watched devices, without losing packets. AF_PACKET without a filter reads everything anyway.
func (l *Live) SetWatch(cfg LiveConfig) error {
	x, ok := l.Source.(interface {
		SetWatch([]netip.Prefix, []packet.MAC) error
	})
	if !ok {
		return nil
	}
	return x.SetWatch(cfg.Watch, cfg.WatchMACs)
}
