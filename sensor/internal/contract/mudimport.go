// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"stillwatch/sensor/internal/session"
)

// MyController is the name under which the peer of my-controller is given: RFC 8520 leaves it to the network of the device.
const MyController = "my-controller"

// infraControllers are the controllers that every network has (RFC 8520, section 8). What they serve is infrastructure, of which the inventory lists
// the servers.
var infraControllers = []string{"urn:ietf:params:mud:dns", "urn:ietf:params:mud:ntp"}

// mudReader makes entries of a file.
type mudReader struct {
	file        *MUDFile
	controllers map[string]PeerKey
	entries     map[Key]*LearnedEntry
}

// Entries returns what a file allows as entries of a contract, sorted. controllers has the peers of the URIs that the file names as controllers, and of
// MyController; one without a peer is an error. An ACE about the answers to sessions that another ACE allows gives no entry, nor does DNS or NTP.
func (f *MUDFile) Entries(controllers map[string]PeerKey) ([]*LearnedEntry, error) {
	r := &mudReader{f, controllers, map[Key]*LearnedEntry{}}
	for dir, p := range []*MUDPolicy{session.Out: f.MUD.From, session.In: f.MUD.To} {
		for _, name := range p.names() {
			i := slices.IndexFunc(f.ACLs.ACL, func(l MUDList) bool { return l.Name == name })
			if err := r.list(session.Dir(dir), &f.ACLs.ACL[i]); err != nil {
				return nil, fmt.Errorf("ACL %s, %w", name, err)
			}
		}
	}
	out := make([]*LearnedEntry, 0, len(r.entries))
	for _, e := range r.entries {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *LearnedEntry) int { return compareKeys(a.Key, b.Key) })
	return out, nil
}

// list reads a list. Entries have no order, so an ACE that drops may only stand behind those that accept, where it changes nothing.
func (r *mudReader) list(dir session.Dir, l *MUDList) error {
	dropped := ""
	for i := range l.ACEs.ACE {
		a := &l.ACEs.ACE[i]
		switch {
		case a.action() != "accept":
			dropped = cmp.Or(dropped, a.Name)
			continue
		case dropped != "":
			return fmt.Errorf("ACE %s: an ACE that accepts stands behind %s, which drops: put those that accept first", a.Name, dropped)
		}
		if err := r.rule(dir, l, a); err != nil {
			return fmt.Errorf("ACE %s: %w", a.Name, err)
		}
		if len(r.entries) > EntriesLimit {
			return fmt.Errorf("ACE %s: the file has more than %d entries", a.Name, EntriesLimit)
		}
	}
	return nil
}

// rule adds the entries of an ACE.
func (r *mudReader) rule(dir session.Dir, l *MUDList, a *MUDRule) error {
	m := &a.Matches
	proto, ports, err := m.transport()
	if err != nil {
		return err
	}
	if ports == nil {
		ports = &MUDPorts{}
	}
	server, other := ports.Dest, ports.Source
	switch want := [...]string{"from-device", "to-device"}[dir]; {
	case ports.Initiated != "" && ports.Initiated != "from-device" && ports.Initiated != "to-device":
		return fmt.Errorf("direction-initiated %q is neither from-device nor to-device", ports.Initiated)
	case ports.Initiated != "" && ports.Initiated != want, server == nil && other != nil: // answers to sessions of the other direction
		return nil
	}
	peer, ok, err := r.peer(dir, m)
	if err != nil || !ok {
		return err
	}
	ranges, err := server.ranges()
	if err != nil {
		return err
	}
	note := fmt.Sprintf("ACL %s, ACE %s", l.Name, a.Name)
	for _, p := range ranges {
		k := Key{Dir: dir, Proto: proto, Peer: peer}
		if hasPorts(proto) {
			k = k.withPorts(p[0], p[1])
		}
		if r.entries[k] == nil { // the lists of both versions of IP give the same entry
			r.entries[k] = &LearnedEntry{Key: k, From: ProvMUD, Learned: true, Note: note}
		}
	}
	return nil
}

// transport returns the protocol of an ACE and its conditions on ports.
func (m *MUDMatch) transport() (proto uint8, ports *MUDPorts, err error) {
	proto = anyProto
	for _, ip := range []*MUDIP{m.IPv4, m.IPv6} {
		if ip != nil && ip.Protocol != nil {
			if proto = *ip.Protocol; proto == anyProto {
				return 0, nil, errors.New("protocol 0 is no transport protocol")
			}
		}
	}
	for _, x := range []struct {
		proto uint8
		ports *MUDPorts
	}{{6, m.TCP}, {17, m.UDP}} {
		if x.ports == nil {
			continue
		}
		if proto != anyProto && proto != x.proto {
			return 0, nil, fmt.Errorf("it has ports of %s and is about the protocol %s", protoName(x.proto), protoName(proto))
		}
		proto, ports = x.proto, x.ports
	}
	return proto, ports, nil
}

// ranges returns the ranges of ports; nil means all.
func (r *MUDRange) ranges() ([][2]uint16, error) {
	if r == nil {
		return [][2]uint16{{0, lastPort}}, nil
	}
	if r.Operator == "" && r.Port == nil && r.Lower != nil {
		to := *r.Lower
		if r.Upper != nil {
			to = *r.Upper
		}
		if to < *r.Lower {
			return nil, fmt.Errorf("the ports %d to %d are no range", *r.Lower, to)
		}
		return [][2]uint16{{*r.Lower, to}}, nil
	}
	if r.Port == nil || r.Lower != nil || r.Upper != nil {
		return nil, errors.New("ports are an operator with a port, or lower-port and upper-port")
	}
	switch p := *r.Port; r.Operator {
	case "", "eq":
		return [][2]uint16{{p, p}}, nil
	case "lte":
		return [][2]uint16{{0, p}}, nil
	case "gte":
		return [][2]uint16{{p, lastPort}}, nil
	case "neq":
		var out [][2]uint16
		if p > 0 {
			out = append(out, [2]uint16{0, p - 1})
		}
		if p < lastPort {
			out = append(out, [2]uint16{p + 1, lastPort})
		}
		return out, nil
	}
	return nil, fmt.Errorf("the operator %q is none of eq, neq, lte and gte", r.Operator)
}

// peer returns the other end that an ACE is about. ok is false if it is infrastructure.
func (r *mudReader) peer(dir session.Dir, m *MUDMatch) (out PeerKey, ok bool, err error) {
	var found []PeerKey
	for _, ip := range []*MUDIP{m.IPv4, m.IPv6} {
		if ip == nil {
			continue
		}
		name, nets, own := ip.DstName, []string{ip.DstNet4, ip.DstNet6}, ip.SrcName+ip.SrcNet4+ip.SrcNet6
		if dir == session.In {
			name, nets, own = ip.SrcName, []string{ip.SrcNet4, ip.SrcNet6}, ip.DstName+ip.DstNet4+ip.DstNet6
		}
		if own != "" {
			return out, false, fmt.Errorf("%.60q is about the address of the device itself", own)
		}
		if name != "" {
			n, ok := hostName(name)
			if !ok {
				return out, false, fmt.Errorf("%.60q is no name of a host", name)
			}
			found = append(found, PeerKey{Kind: ByName, Text: n})
		}
		for _, s := range nets {
			if s != "" {
				p, err := network(s)
				if err != nil {
					return out, false, err
				}
				found = append(found, p)
			}
		}
	}
	infra := false
	if m.MUD != nil {
		more, err := r.class(m.MUD)
		if err != nil {
			return out, false, err
		}
		infra = slices.Contains(infraControllers, m.MUD.Controller)
		found = append(found, more...)
	}
	switch {
	case len(found) > 1:
		return out, false, errors.New("it names the other end in two ways")
	case infra:
		return out, false, nil
	case len(found) == 0:
		return PeerKey{Kind: Anyone}, true, nil
	}
	return found[0], true, nil
}

// class returns the peers that an ACE names by what they are.
func (r *mudReader) class(m *MUDPeer) (out []PeerKey, err error) {
	if m.SameManufacturer != nil {
		out = append(out, PeerKey{Kind: ByMaker, Text: mudHost(r.file.MUD.URL)})
	}
	if m.LocalNetworks != nil {
		out = append(out, PeerKey{Kind: Inside})
	}
	if m.Manufacturer != "" {
		name, ok := hostName(m.Manufacturer)
		if !ok {
			return nil, fmt.Errorf("manufacturer %.60q is no name of a host", m.Manufacturer)
		}
		out = append(out, PeerKey{Kind: ByMaker, Text: name})
	}
	if m.Model != "" {
		if mudHost(m.Model) == "" {
			return nil, fmt.Errorf("model %.60q is no MUD URL", m.Model)
		}
		out = append(out, PeerKey{Kind: ByModel, Text: m.Model})
	}
	names := []string{m.Controller}
	if m.MyController != nil {
		names = append(names, MyController)
	}
	for _, name := range names {
		p, known := r.controllers[name]
		switch {
		case name == "" || slices.Contains(infraControllers, name):
		case !known:
			return nil, fmt.Errorf("the file does not say who is the controller %.100q: give it, as %s=10.20.1.9", name, strings.TrimSpace(name))
		default:
			out = append(out, p)
		}
	}
	return out, nil
}

// ImportMUD replaces the entries of a contract that came from a MUD file by those of another one. A device that has no contract gets one, which is
// being learned.
func (l *Learner) ImportMUD(key string, entries []*LearnedEntry, now int64) error {
	c := l.devices[key]
	switch {
	case c == nil && len(l.devices) >= l.cfg.MaxDevices:
		return fmt.Errorf("there are %d contracts already", len(l.devices))
	case c == nil:
		c = &Learned{Device: key}
		c.reset(now)
		l.devices[key] = c
	case c.State == TooVaried:
		_, err := l.usable(key)
		return err
	case len(c.entries)+len(entries) > EntriesLimit || l.total+len(entries) > l.cfg.MaxTotal:
		return fmt.Errorf("the contract of %s has %d entries: there is no room for %d more", key, len(c.entries), len(entries))
	}
	l.drop(c, func(e *LearnedEntry) bool { return e.From == ProvMUD })
	for _, e := range entries {
		if o := c.entries[e.Key]; o == nil {
			l.add(c, e)
		} else if o.From == ProvLearned {
			o.From, o.Note, o.Learned, o.Stale, o.changed, c.declared = ProvMUD, e.Note, true, false, true, true
		}
	}
	l.touch(c)
	return nil
}
