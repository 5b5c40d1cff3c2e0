// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"stillwatch/bpf"
)

// OpenLive opens a port in the mode that is asked for. The error names what is missing for it.
func OpenLive(cfg LiveConfig) (*Live, error) {
	why := "it was asked for"
	switch {
	case cfg.Mode == ModeXDP:
		return openXDP(cfg, why)
	case cfg.Mode == ModeAuto && cfg.Rings+cfg.SnapLen == 0:
		l, err := openXDP(cfg, "it is the best that works here")
		if err == nil {
			return l, nil
		}
		why = "XDP cannot be had: " + err.Error()
	case cfg.Mode == ModeAuto:
		why = "rings and a snap length are of AF_PACKET"
	}
	s, err := OpenAFPacket(AFPacketConfig{Iface: cfg.Iface, Rings: cfg.Rings, RingBytes: cfg.RingBytes, SnapLen: cfg.SnapLen})
	if err != nil {
		return nil, err
	}
	return &Live{Source: s, Mode: ModeAFPacket, Why: why}, nil
}

// openXDP attaches the XDP program in the driver, else in the kernel, and says why not in the driver.
func openXDP(cfg LiveConfig, why string) (*Live, error) {
	x, err := OpenXDP(XDPConfig{Iface: cfg.Iface, Prefixes: cfg.Watch, MACs: cfg.WatchMACs, Program: bpf.Config{Drop: cfg.Drop}})
	if err != nil {
		return nil, err
	}
	for _, f := range x.Refused {
		why += "; " + f.Err.Error()
	}
	return &Live{Source: x, Mode: ModeXDP + " " + x.Mode.String(), Why: why}, nil
}

// SetWatch takes what is of interest from now on. No packet is lost by it. AF_PACKET has everything anyway.
func (l *Live) SetWatch(cfg LiveConfig) error {
	if x, ok := l.Source.(*XDP); ok {
		return x.SetWatch(cfg.Watch, cfg.WatchMACs)
	}
	return nil
}
