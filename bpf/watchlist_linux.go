// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// watchList is the contents of the maps.
type watchList struct {
	prefixes   map[netip.Prefix]bool
	macs       map[[6]byte]bool
	generation uint32
}

// SetWatch sets which devices are watched: those with an address in one of prefixes, or one of macs; if there are none, all. It may be called at
// any time. Devices in both the old and the new list are watched at every moment.
func (p *Programs) SetWatch(prefixes []netip.Prefix, macs [][6]byte) error {
	defer p.mu.Unlock()
	if err := p.lock(); err != nil {
		return err
	}
	want := watchList{prefixes: map[netip.Prefix]bool{}, macs: map[[6]byte]bool{}, generation: p.watch.generation + 1}
	for _, x := range prefixes {
		if !x.IsValid() {
			return fmt.Errorf("%v is not a valid prefix", x)
		}
		want.prefixes[unmapped(x.Masked())] = true
	}
	for _, m := range macs {
		want.macs[m] = true
	}
	if err := p.extend(&want); err != nil {
		return fmt.Errorf("watch list: %w", err)
	}
	if err := p.announce(&want); err != nil {
		return fmt.Errorf("watch list: %w", err)
	}
	if err := p.shrink(&want); err != nil {
		return fmt.Errorf("watch list: %w", err)
	}
	// The program invalidates its cached answers only now, when the maps are final.
	p.watch = want
	return p.set("generation", int(want.generation))
}

// unmapped returns the IPv4 form of a prefix of IPv4-mapped addresses.
func unmapped(x netip.Prefix) netip.Prefix {
	if x.Addr().Is4In6() && x.Bits() >= 96 {
		return netip.PrefixFrom(x.Addr().Unmap(), x.Bits()-96)
	}
	return x
}

// extend adds new entries.
func (p *Programs) extend(want *watchList) error {
	for x := range want.prefixes {
		if p.watch.prefixes[x] {
			continue
		}
		name, key := prefixKey(x)
		if err := p.coll.Maps[name].Put(key, uint8(1)); err != nil {
			return fmt.Errorf("%v: %w", x, err)
		}
		p.watch.prefixes[x] = true
	}
	for m := range want.macs {
		if err := p.coll.Maps["watch_mac"].Put(macKey(m), uint8(1)); err != nil {
			return fmt.Errorf("%x: %w", m, err)
		}
		p.watch.macs[m] = true
	}
	return nil
}

// shrink removes old entries.
func (p *Programs) shrink(want *watchList) error {
	for x := range p.watch.prefixes {
		if want.prefixes[x] {
			continue
		}
		name, key := prefixKey(x)
		if err := p.coll.Maps[name].Delete(key); err != nil {
			return fmt.Errorf("%v: %w", x, err)
		}
		delete(p.watch.prefixes, x)
	}
	for m := range p.watch.macs {
		if want.macs[m] {
			continue
		}
		if err := p.coll.Maps["watch_mac"].Delete(macKey(m)); err != nil {
			return fmt.Errorf("%x: %w", m, err)
		}
		delete(p.watch.macs, m)
	}
	return nil
}

// announce sets which maps the program looks up.
func (p *Programs) announce(want *watchList) error {
	v4, v6 := 0, 0
	for x := range want.prefixes {
		if x.Addr().Is4() {
			v4++
		} else {
			v6++
		}
	}
	all := 0
	if v4+v6+len(want.macs) == 0 {
		all = 1
	}
	steps := []struct {
		variable string
		value    int
	}{
		{"watch_prefixes4", v4}, {"watch_prefixes6", v6}, {"watch_macs", len(want.macs)}, {"watch_all", all},
	}
	for _, s := range steps {
		if err := p.set(s.variable, s.value); err != nil {
			return err
		}
	}
	return nil
}

func prefixKey(x netip.Prefix) (mapName string, key any) {
	if x.Addr().Is4() {
		return "watch4", &prefix4{Bits: uint32(x.Bits()), Addr: x.Addr().As4()}
	}
	return "watch6", &prefix6{Bits: uint32(x.Bits()), Addr: x.Addr().As16()}
}

func macKey(m [6]byte) uint64 {
	var b [8]byte
	copy(b[:], m[:])
	return binary.NativeEndian.Uint64(b[:])
}
