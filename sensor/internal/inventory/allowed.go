// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
)

// scanPeers is how many peers on one port, or ports of one peer, a device may try without success before the calls count as a scan.
const scanPeers = 10

// incidentLead is how long before an alert the calls of the device are already in doubt.
const incidentLead = int64(3600 * 1e9)

// siblings is from how many names below one domain on an entry allows all names below it.
const siblings = 3

// entry is a line of allow: a peer with its ports, as it would be written, and what was seen.
type entry struct {
	peer, proto string
	ports       []uint16
	apps        []string
	sessions    uint64
	oneWay      bool
	also        string // name under which the same address is known
	review      string // why it is not allowed; "" if it is
	internal    bool
}

// deviceCalls are the calls of one device.
type deviceCalls map[callKey]callSum

// entries turns the calls of a device into entries, those that are allowed and those to review, both sorted.
func (w *draft) entries(x *item) (allowed, review []entry) {
	named := map[netip.Addr]string{}
	for k := range x.calls {
		if n := named[k.to]; k.name != "" && (n == "" || k.name < n) {
			named[k.to] = k.name
		}
	}
	scans, wild := scansOf(x.calls), wildcards(x.calls)
	groups := map[string]*entry{}
	for _, k := range slices.SortedFunc(maps.Keys(x.calls), compareCalls) {
		s := x.calls[k]
		e := entry{proto: protoName(k.proto), sessions: s.sessions, oneWay: s.answered == 0, also: named[k.to], internal: w.internal(k.to)}
		e.peer = w.peerText(&k, wild)
		e.review = w.doubt(x, &k, &s, &e, scans)
		id := strings.Join([]string{e.peer, e.proto, e.review}, " ")
		g := groups[id]
		if g == nil {
			g = &e
			groups[id] = g
		} else {
			g.sessions += e.sessions
			g.oneWay = g.oneWay && e.oneWay
		}
		if k.port != 0 && e.proto != "icmp" && !slices.Contains(g.ports, k.port) {
			g.ports = append(g.ports, k.port)
		}
		if s.app != "" && !slices.Contains(g.apps, s.app) {
			g.apps = append(g.apps, s.app)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		g := groups[id]
		slices.Sort(g.ports)
		slices.Sort(g.apps)
		if g.review != "" {
			review = append(review, *g)
		} else {
			allowed = append(allowed, *g)
		}
	}
	return allowed, review
}

func compareCalls(a, b callKey) int {
	return cmp.Or(a.to.Compare(b.to), cmp.Compare(a.name, b.name), cmp.Compare(a.proto, b.proto), cmp.Compare(a.port, b.port), a.from.Compare(b.from),
		cmp.Compare(a.dev, b.dev), cmp.Compare(a.peerDev, b.peerDev))
}

// doubt returns why a call is not allowed, "" if it is.
func (w *draft) doubt(x *item, k *callKey, s *callSum, e *entry, scans map[string]int) string {
	if text := w.alerted(x, k, s); text != "" {
		return text
	}
	role := x.role()
	if role == device.Unknown {
		role = device.Server // what even a server never opens
	}
	external := !e.internal && w.peer(k) == nil
	switch text := contract.Forbids(role, k.proto, k.port, s.app); {
	case text != "" && x.role() == device.Unknown:
		return "hardly any device opens " + either(s.app, fmt.Sprintf("port %d", k.port))
	case text != "":
		return text
	case e.proto == "":
		return fmt.Sprintf("IP protocol %d: no entry can name it", k.proto)
	case s.answered == 0 && s.refused > 0:
		return "refused"
	case s.answered == 0 && (k.proto != 17 || external || w.peer(k) == nil):
		return "never answered"
	}
	for _, key := range scanKeys(k) {
		if n := scans[key]; n > 0 {
			return fmt.Sprintf("part of a scan: %d failed attempts", n)
		}
	}
	if external && e.also == "" && special(x.role()) {
		return "reached by address: no DNS lookup was seen"
	}
	return ""
}

// special reports whether devices of a role reach the outside by name only.
func special(r device.Role) bool {
	switch r {
	case device.Camera, device.NVR, device.VMS, device.Printer, device.IoT, device.IoTHub:
		return true
	}
	return false
}

// alerted returns the alert that puts a call in doubt: it is about both ends, or the call is new since an hour before.
func (w *draft) alerted(x *item, k *callKey, s *callSum) string {
	self, other := x.d.Key, ""
	if p := w.peer(k); p != nil {
		other = p.d.Key
	}
	for _, a := range w.alerts {
		ours := a.device == self || a.ip == k.from
		theirs := other != "" && a.device == other || a.ip == k.to
		if ours && a.peer == k.to || theirs && a.peer == k.from {
			return "alert: " + detect.Clean(a.title, 80)
		}
	}
	for _, a := range w.alerts {
		if (a.device == self || a.ip == k.from) && s.first >= a.first-incidentLead {
			return "first seen around an alert: " + detect.Clean(a.title, 80)
		}
	}
	return ""
}

// scansOf returns the scans among calls: how many tries failed, by what was scanned.
func scansOf(calls deviceCalls) map[string]int {
	failed, all := map[string]int{}, map[string]int{}
	for k, s := range calls {
		for _, key := range scanKeys(&k) {
			all[key]++
			if s.answered == 0 {
				failed[key]++
			}
		}
	}
	maps.DeleteFunc(failed, func(key string, n int) bool { return n < scanPeers || 2*n < all[key] })
	return failed
}

// scanKeys returns what a call may scan: a port of many peers, or many ports of a peer.
func scanKeys(k *callKey) []string {
	return []string{fmt.Sprintf("port %d/%d", k.port, k.proto), fmt.Sprintf("peer %s/%d", k.to, k.proto)}
}

// service is what sibling names must have in common.
type service struct {
	parent string
	proto  uint8
	port   uint16
	app    string
}

// wildcards returns the domains below which a device reached at least three names with one protocol and port. Domains under which anybody
// may register a name are none (publicsuffix.org, with its private section).
func wildcards(calls deviceCalls) map[service]bool {
	names := map[service]map[string]bool{}
	for k, s := range calls {
		v, ok := serviceOf(&k, s.app)
		if !ok {
			continue
		}
		if names[v] == nil {
			names[v] = map[string]bool{}
		}
		names[v][k.name] = true
	}
	out := map[service]bool{}
	for v, all := range names {
		out[v] = len(all) >= siblings
	}
	return out
}

func serviceOf(k *callKey, app string) (v service, ok bool) {
	parent, ok := domainAbove(k.name)
	return service{parent, k.proto, k.port, app}, ok
}

// domainAbove returns the domain in which a name is, if it belongs to one owner.
func domainAbove(name string) (parent string, ok bool) {
	_, parent, ok = strings.Cut(name, ".")
	if !ok {
		return "", false
	}
	_, err := publicsuffix.EffectiveTLDPlusOne(parent)
	return parent, err == nil
}

// peerText returns the peer of a call as an entry names it: a device, a DNS name, else the address.
func (w *draft) peerText(k *callKey, wild map[service]bool) string {
	if p := w.peer(k); p != nil {
		return "device:" + p.name
	}
	if k.name == "" || !config.DNSName(k.name) {
		return k.to.Unmap().String()
	}
	for v, on := range wild { // the application may differ between sessions with one name
		if parent, ok := domainAbove(k.name); on && ok && v.parent == parent && v.proto == k.proto && v.port == k.port {
			return "*." + parent
		}
	}
	return k.name
}

// peer returns the device at the far end of a call, nil if it is none that the draft names.
func (w *draft) peer(k *callKey) *item {
	if x := w.byID[k.peerDev]; x != nil {
		return x
	}
	if d := w.reg.ByIP(k.to); d != nil {
		return w.byID[d.ID]
	}
	return nil
}

func protoName(p uint8) string {
	switch p {
	case 1, 58:
		return "icmp"
	case 6:
		return "tcp"
	case 17:
		return "udp"
	}
	return ""
}

// internal reports whether an address is in the watched network.
func (w *draft) internal(a netip.Addr) bool { return w.reg.Internal(a) }
