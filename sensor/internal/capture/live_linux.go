// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"fmt"
)

// OpenLive opens a port in the mode that is asked for. The error names what is missing for it.
func OpenLive(cfg LiveConfig) (*Live, error) {
	why := "it was asked for"
	switch {
	case cfg.Mode == ModeXDP:
		return openXDP(cfg)
	case cfg.Mode == ModeAuto && cfg.Rings+cfg.SnapLen == 0:
		l, err := openXDP(cfg)
		if err == nil {
			l.Why = "it is the best that works here"
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

func openXDP(cfg LiveConfig) (*Live, error) {
	return nil, fmt.Errorf("%s: this program was built without XDP", cfg.Iface)
}
