// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"net/netip"

	"stillwatch/bpf"
	"stillwatch/sensor/internal/packet"
)

// Filtered is an AF_PACKET source with a socket filter made from the code of the XDP program: frames that are not watched are only counted and
// do not reach the rings.
type Filtered struct {
	*AFPacket
	filter *bpf.Programs
}

// openFiltered opens the port. The filter does not shunt sessions: the rings get every watched packet, in order.
func openFiltered(cfg AFPacketConfig, prefixes []netip.Prefix, macs []packet.MAC) (*Filtered, error) {
	const unused = 1 << 12 // the smallest size for maps that are not used
	p, err := bpf.LoadFilter(bpf.Config{NoShunt: true, SnapLen: uint32(cfg.SnapLen), Sessions: unused, RingBytes: unused})
	if err != nil {
		return nil, err
	}
	f := &Filtered{filter: p}
	if err = f.SetWatch(prefixes, macs); err == nil {
		cfg.Program = p.FD()
		f.AFPacket, err = OpenAFPacket(cfg)
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return f, nil
}

// SetWatch changes which devices are watched; if there are none, all are.
func (f *Filtered) SetWatch(prefixes []netip.Prefix, macs []packet.MAC) error {
	return f.filter.SetWatch(prefixes, rawMACs(macs))
}

// Stats implements Source.
func (f *Filtered) Stats() Stats {
	s := f.AFPacket.Stats()
	if c, err := f.filter.Counters(); err == nil { // fails when it is closed
		s.Reasons = packetsByReason(&c)
		s.Received += c.Reasons[bpf.Unwatched].Packets
	}
	return s
}

// Close implements Source.
func (f *Filtered) Close() error { return errors.Join(f.AFPacket.Close(), f.filter.Close()) }

func rawMACs(macs []packet.MAC) [][6]byte {
	raw := make([][6]byte, len(macs))
	for i, m := range macs {
		raw[i] = m
	}
	return raw
}
