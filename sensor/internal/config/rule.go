// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // maintenance windows must work on a host without time zone data

	"github.com/goccy/go-yaml/ast"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/session"
)

// rule reads one entry of allow.
func (r *inventoryReader) rule(m *mapping) contract.Rule {
	out := contract.Rule{Proto: "any"}
	dir := "out"
	m.choice("direction", &dir, []string{"in", "out"})
	if dir == "in" {
		out.Direction = session.In
	}
	m.choice("proto", &out.Proto, []string{"tcp", "udp", "icmp", "any"})
	peer := r.peer(m, &out)
	out.Ports = ports(m)
	if len(out.Ports) > 0 && out.Proto == "icmp" {
		m.fail("icmp has no ports")
	}
	out.Text = ruleText(dir, &out, peer)
	m.done()
	return out
}

// peer reads the allowed peer: an address, a prefix, zone:NAME, device:NAME or a DNS name.
func (r *inventoryReader) peer(m *mapping, out *contract.Rule) string {
	v := m.find("peer")
	if v == nil {
		return ""
	}
	s := v.string()
	if v.failed {
		return s
	}
	if zone, ok := strings.CutPrefix(s, "zone:"); ok {
		out.Peer.Zone = zone
		r.later = append(r.later, func() {
			if !slices.ContainsFunc(r.inv.Zones, func(z contract.Zone) bool { return z.Name == zone }) {
				v.fail("peer: there is no zone %q", zone)
			}
		})
		return s
	}
	if name, ok := strings.CutPrefix(s, "device:"); ok {
		out.Peer.Device = name
		r.later = append(r.later, func() {
			if r.names[name] == 0 {
				v.fail("peer: there is no device %q", name)
			}
		})
		return s
	}
	h, err := parseHost(s)
	if err != nil {
		v.fail("peer: %s; or write zone:NAME or device:NAME", err)
	}
	out.Peer.Prefix, out.Peer.Name = h.Prefix, h.Name
	return s
}

func ruleText(dir string, r *contract.Rule, peer string) string {
	parts := []string{dir, r.Proto}
	if r.Proto == "any" {
		parts = parts[:1]
	}
	for _, p := range r.Ports {
		if p[0] == p[1] {
			parts = append(parts, strconv.Itoa(int(p[0])))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", p[0], p[1]))
		}
	}
	if peer != "" {
		parts = append(parts, map[string]string{"in": "from", "out": "to"}[dir], peer)
	}
	return strings.Join(parts, " ")
}

// ports reads port (a number or a range) or ports (a list of them).
func ports(m *mapping) (out [][2]uint16) {
	add := func(v *value) {
		s := v.string()
		if v.failed {
			return
		}
		p, err := parsePorts(s)
		if err != nil {
			v.fail("%s: %s", v.key, err)
			return
		}
		out = append(out, p)
	}
	one, many := m.find("port"), m.find("ports")
	switch {
	case one != nil && many != nil:
		one.fail("give port or ports, not both")
	case one != nil:
		add(one)
	case many != nil:
		if _, list := many.node.(*ast.SequenceNode); list {
			m.each("ports", add)
		} else {
			add(many)
		}
	}
	return out
}

func parsePorts(s string) (p [2]uint16, err error) {
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	a, errA := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
	b, errB := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
	if errA != nil || errB != nil || a > b || a == 0 {
		return p, fmt.Errorf("%q is not a port (1 to 65535) or a range such as 8000-8010", s)
	}
	return [2]uint16{uint16(a), uint16(b)}, nil
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// window reads one entry of maintenance.
func window(m *mapping) contract.Window {
	w := contract.Window{Zone: time.UTC}
	if m.find("days") == nil {
		w.Days = [7]bool{true, true, true, true, true, true, true}
	}
	m.each("days", func(v *value) {
		i := slices.Index(weekdays, v.string())
		if i < 0 {
			v.fail("days: %q is not a day; the days are %s", v.string(), strings.Join(weekdays, ", "))
			return
		}
		w.Days[i] = true
	})
	for _, key := range []string{"from", "to"} {
		if m.find(key) == nil {
			m.fail(`a maintenance window needs %s, such as "02:00"`, key)
		}
	}
	w.From, w.To = readOne(m, "from", parseClock), readOne(m, "to", parseClock)
	if m.find("zone") != nil {
		w.Zone = readOne(m, "zone", parseZone)
	}
	m.done()
	return w
}

// parseClock parses "HH:MM" as minutes of the day; "24:00" is the end of the day.
func parseClock(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf(`%q is not a time of day; write it in quotes as "02:00"`, s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

func parseZone(s string) (*time.Location, error) {
	z, err := time.LoadLocation(s)
	if err != nil || s == "" || s == "Local" {
		return time.UTC, fmt.Errorf("%q is not a time zone; write it as UTC or Europe/Berlin", s)
	}
	return z, nil
}

func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q is not an IP address", s)
	}
	if a = a.Unmap(); a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return netip.Addr{}, fmt.Errorf("%q is not the address of a device", s)
	}
	return a, nil
}
