// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
)

// LoadInventory reads an inventory (docs/inventory.md) from a file. The error is of type Errors if the content is invalid.
func LoadInventory(path string) (*contract.Inventory, error) {
	src, err := readFile(path, maxInventory)
	if err != nil {
		return nil, err
	}
	return ParseInventory(path, src)
}

// ParseInventory reads an inventory from src; messages use name as the file name.
func ParseInventory(name string, src []byte) (*contract.Inventory, error) {
	d := newDocument(name, src, maxInventory)
	r := &inventoryReader{names: map[string]int{}}
	if root := d.root(); root != nil {
		r.read(root)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	r.inv.Source = src
	return &r.inv, nil
}

// inventoryReader reads an inventory, and checks the references at the end.
type inventoryReader struct {
	inv     contract.Inventory
	names   map[string]int // of devices, with their line
	matches map[string]string
	later   []func() // checks of references, once all names are known
}

func (r *inventoryReader) read(root *mapping) {
	root.version()
	root.text("site", &r.inv.Site)
	if n := root.mapping("networks"); n != nil {
		r.inv.Internal = prefixList(n, "internal")
		n.done()
	}
	if z := root.mapping("zones"); z != nil {
		r.zones(z)
	}
	if m := root.mapping("infrastructure"); m != nil {
		r.infrastructure(m)
	}
	r.matches = map[string]string{}
	root.each("devices", func(v *value) {
		if m := v.doc.asMapping(v.node, "a device"); m != nil {
			r.device(m)
		}
	})
	root.done()
	for _, check := range r.later {
		check()
	}
}

func (r *inventoryReader) zones(m *mapping) {
	for _, name := range m.keys() {
		if !PlainName(name) {
			m.failKey(name, "zone name %q: letters, digits, '-', '_' and '.' only", name)
		}
		r.inv.Zones = append(r.inv.Zones, contract.Zone{Name: name, Networks: prefixList(m, name)})
	}
	slices.SortFunc(r.inv.Zones, func(a, b contract.Zone) int { return cmp.Compare(a.Name, b.Name) })
	m.done()
}

func (r *inventoryReader) infrastructure(m *mapping) {
	in := &r.inv.Infrastructure
	in.DNS, in.NTP, in.DHCP = hostList(m, "dns"), hostList(m, "ntp"), hostList(m, "dhcp")
	in.Syslog, in.Admin = hostList(m, "syslog"), hostList(m, "admin")
	m.done()
}

func (r *inventoryReader) device(m *mapping) {
	var e contract.Entry
	m.text("name", &e.Name)
	r.name(m, e.Name)
	r.match(m, &e)
	var expect string
	m.choice("expect", &expect, []string{"silent", "server_only", "allowlist", "normal"})
	e.Expect, e.HasExpect = contract.Normal, expect != ""
	if e.HasExpect {
		e.Expect, _ = contract.ParseExpect(expect)
	}
	m.text("owner", &e.Owner)
	m.choice("criticality", &e.Criticality, []string{"low", "medium", "high", "critical"})
	m.each("allow", func(v *value) {
		if rm := v.doc.asMapping(v.node, "an entry of allow"); rm != nil {
			e.Allow = append(e.Allow, r.rule(rm))
		}
	})
	m.each("maintenance", func(v *value) {
		if wm := v.doc.asMapping(v.node, "an entry of maintenance"); wm != nil {
			e.Maintenance = append(e.Maintenance, window(wm))
		}
	})
	m.done()
	r.inv.Devices = append(r.inv.Devices, e)
}

func (r *inventoryReader) name(m *mapping, name string) {
	switch {
	case m.find("name") == nil:
		m.fail("a device needs a name")
	case name == "":
	case !PlainName(name):
		m.failKey("name", "device name %q: letters, digits, '-', '_' and '.' only, at most 64", name)
	case r.names[name] > 0:
		m.failKey("name", "device name %q is already used in line %d", name, r.names[name])
	default:
		r.names[name] = m.items[0].Key.GetToken().Position.Line
	}
}

// match reads the property by which an entry matches devices.
func (r *inventoryReader) match(m *mapping, e *contract.Entry) {
	mm := m.mapping("match")
	if mm == nil {
		if m.find("match") == nil {
			m.fail("a device needs a match: exactly one of mac, ip, prefix, vendor, role")
		}
		return
	}
	if n := len(mm.items); n != 1 {
		mm.fail("match needs exactly one of mac, ip, prefix, vendor, role; found %d", n)
	}
	e.Match.MAC = readOne(mm, "mac", parseMAC)
	e.Match.IP = readOne(mm, "ip", parseAddr)
	e.Match.Prefix = readOne(mm, "prefix", parsePrefix)
	mm.text("vendor", &e.Match.Vendor)
	e.Match.Role = readOne(mm, "role", parseRole)
	mm.done()
	if len(mm.items) != 1 || e.Match == (contract.Match{}) {
		return
	}
	key := fmt.Sprint(e.Match)
	if by, twice := r.matches[key]; twice {
		mm.fail("device %q has the same match", by)
	}
	r.matches[key] = e.Name
}

func parseRole(s string) (device.Role, error) {
	role, ok := device.ParseRole(s)
	if !ok || role == device.Unknown {
		return role, fmt.Errorf("%q is not a role; the roles are %s", s, strings.Join(device.RoleNames(), ", "))
	}
	return role, nil
}

// readOne reads a single value with a parser, and reports an error at the value.
func readOne[T any](m *mapping, key string, parse func(string) (T, error)) (out T) {
	v := m.find(key)
	if v == nil {
		return out
	}
	s := v.string()
	if v.failed {
		return out
	}
	out, err := parse(s)
	if err != nil {
		v.fail("%s: %s", key, err)
	}
	return out
}

func prefixList(m *mapping, key string) (out []netip.Prefix) {
	m.each(key, func(v *value) {
		s := v.string()
		if v.failed {
			return
		}
		p, err := parsePrefix(s)
		if err != nil {
			v.fail("%s: %s", key, err)
			return
		}
		out = append(out, p)
	})
	return out
}

// hostList reads addresses, prefixes and names. A list in the document is not nil, even if it is empty.
func hostList(m *mapping, key string) []contract.Host {
	if m.find(key) == nil {
		return nil
	}
	out := []contract.Host{}
	m.each(key, func(v *value) {
		s := v.string()
		if v.failed {
			return
		}
		h, err := parseHost(s)
		if err != nil {
			v.fail("%s: %s", key, err)
			return
		}
		out = append(out, h)
	})
	return out
}

func parseHost(s string) (contract.Host, error) {
	if p, err := parsePrefix(s); err == nil {
		return contract.Host{Prefix: p}, nil
	}
	if !DNSName(s) {
		return contract.Host{}, fmt.Errorf("%q is not an address, a prefix or a DNS name", s)
	}
	return contract.Host{Name: strings.ToLower(s)}, nil
}

func parseMAC(s string) (packet.MAC, error) {
	m, ok := macOf(s)
	if !ok || m.IsZero() || m.IsGroup() {
		return packet.MAC{}, fmt.Errorf("%q is not the MAC address of a device; write it as b8:ca:3a:00:00:17", s)
	}
	return m, nil
}
