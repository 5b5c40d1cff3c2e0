// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"stillwatch/sensor/internal/session"
)

// mudWriter collects the lists of a file: one for each direction of packets and version of IP.
type mudWriter struct {
	file  MUDFile
	lists map[string]*MUDList
}

// mudLists are the lists in the order of the file.
var mudLists = []struct {
	name, kind string
	dir        session.Dir // of the packets: Out from the device
}{
	{"from-ipv4", "ipv4-acl-type", session.Out}, {"from-ipv6", "ipv6-acl-type", session.Out},
	{"to-ipv4", "ipv4-acl-type", session.In}, {"to-ipv6", "ipv6-acl-type", session.In},
}

// ExportMUD returns the contract as a MUD file with a URL, at a time of the capture clock. left lists the entries that RFC 8520 cannot express: names
// below a domain, autonomous systems, all hosts outside, hours. Applications are left out, their ports are not.
func (c *Learned) ExportMUD(url string, now int64) (f *MUDFile, left []string, err error) {
	if mudHost(url) == "" {
		return nil, nil, fmt.Errorf("%.80q is no https URL of at most 255 characters", url)
	}
	w := &mudWriter{lists: map[string]*MUDList{}}
	yes := true
	w.file.MUD = MUDHead{Version: 1, URL: url, LastUpdate: time.Unix(0, now).UTC().Format(time.RFC3339), CacheValidity: 48, Supported: &yes,
		SystemInfo: fmt.Sprintf("%.60s", c.Device)}
	for _, l := range mudLists {
		w.lists[l.name] = &MUDList{Name: l.name, Type: l.kind}
	}
	n := 0
	for _, e := range c.Entries(false) {
		if e.Refuse || e.Stale {
			continue
		}
		m, why := w.peer(e)
		if why != "" {
			left = append(left, fmt.Sprintf("%s: %s", e.Key, why))
			continue
		}
		n++
		w.add(e, m, fmt.Sprintf("entry%d", n))
	}
	if n == 0 {
		return nil, left, fmt.Errorf("the contract of %s has no entry that a MUD file can express", c.Device)
	}
	w.finish()
	return &w.file, left, nil
}

// mudEnd is the other end of an entry as an ACE names it.
type mudEnd struct {
	mud    *MUDPeer
	name   string
	prefix netip.Prefix
}

// peer returns the other end of an entry, or why it cannot be expressed.
func (w *mudWriter) peer(e *LearnedEntry) (out mudEnd, why string) {
	null := json.RawMessage("[null]")
	if e.Hours != (Hours{}) {
		return out, "a MUD file has no hours"
	}
	switch p := &e.Peer; p.Kind {
	case ByName:
		out.name = p.Text
	case ByNetwork:
		out.prefix = netip.PrefixFrom(p.Addr.Netip(), int(p.Bits))
	case Inside:
		out.mud = &MUDPeer{LocalNetworks: null}
	case ByMaker:
		out.mud = &MUDPeer{Manufacturer: p.Text}
	case ByModel:
		out.mud = &MUDPeer{Model: p.Text}
	case ByDevice:
		out.mud = &MUDPeer{Controller: w.file.MUD.URL + "#device-" + p.Text}
	case ByZone:
		out.mud = &MUDPeer{Controller: w.file.MUD.URL + "#zone-" + p.Text}
	case Anyone:
	default:
		return out, "a MUD file cannot name this peer"
	}
	return out, ""
}

// add adds the ACEs of an entry: for the packets of both directions, and both versions of IP if the peer does not tell.
func (w *mudWriter) add(e *LearnedEntry, end mudEnd, name string) {
	for _, l := range mudLists {
		v4 := l.kind == "ipv4-acl-type"
		if end.prefix.IsValid() && end.prefix.Addr().Is4() != v4 || e.Proto == 1 && !v4 || e.Proto == 58 && v4 {
			continue
		}
		a := MUDRule{Name: name + "-" + l.name, Matches: MUDMatch{MUD: end.mud}}
		a.Actions.Forwarding = "accept"
		ip := end.header(e.Proto, l.dir, v4)
		if v4 {
			a.Matches.IPv4 = ip
		} else {
			a.Matches.IPv6 = ip
		}
		e.ports(&a.Matches, l.dir)
		list := w.lists[l.name]
		list.ACEs.ACE = append(list.ACEs.ACE, a)
	}
}

// header returns the conditions on the IP header for packets of a direction, nil if there are none.
func (end *mudEnd) header(proto uint8, dir session.Dir, v4 bool) *MUDIP {
	ip := &MUDIP{}
	if proto != anyProto {
		ip.Protocol = &proto
	}
	network := ""
	if end.prefix.IsValid() {
		network = end.prefix.String()
	}
	switch {
	case dir == session.Out && v4:
		ip.DstName, ip.DstNet4 = end.name, network
	case dir == session.Out:
		ip.DstName, ip.DstNet6 = end.name, network
	case v4:
		ip.SrcName, ip.SrcNet4 = end.name, network
	default:
		ip.SrcName, ip.SrcNet6 = end.name, network
	}
	if *ip == (MUDIP{}) {
		return nil
	}
	return ip
}

// ports adds the conditions on the ports. The port of the server is the destination of packets in the direction in which the session is opened.
func (e *LearnedEntry) ports(m *MUDMatch, dir session.Dir) {
	var p MUDPorts
	r := e.mudRange()
	if dir == e.Dir {
		p.Dest = r
	} else {
		p.Source = r
	}
	switch e.Proto {
	case 6:
		p.Initiated = [...]string{"from-device", "to-device"}[e.Dir]
		m.TCP = &p
	case 17:
		if r != nil {
			m.UDP = &p
		}
	}
}

// mudRange returns the ports of the server, nil if they do not matter.
func (e *LearnedEntry) mudRange() *MUDRange {
	from, to := e.Port, e.To
	switch {
	case !hasPorts(e.Proto) || from == 0 && to == lastPort:
		return nil
	case from == 0 && to == 0 && e.Proto == 17: // dynamic
		from, to = dynamicPortUDP, lastPort
	case from == 0 && to == 0:
		from, to = dynamicPort, lastPort
	case to == 0 || to == from:
		return &MUDRange{Operator: "eq", Port: &from}
	}
	return &MUDRange{Lower: &from, Upper: &to}
}

// finish adds the lists that have an ACE to the file.
func (w *mudWriter) finish() {
	policies := [2]*MUDPolicy{}
	for _, l := range mudLists {
		list := w.lists[l.name]
		if len(list.ACEs.ACE) == 0 {
			continue
		}
		w.file.ACLs.ACL = append(w.file.ACLs.ACL, *list)
		if policies[l.dir] == nil {
			policies[l.dir] = &MUDPolicy{}
		}
		names := &policies[l.dir].AccessLists.AccessList
		*names = append(*names, MUDName{l.name})
	}
	w.file.MUD.From, w.file.MUD.To = policies[session.Out], policies[session.In]
}
