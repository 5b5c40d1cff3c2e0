// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/lru"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/terminal"
)

// Most entries of an allowlist. A device that reaches more peers outside is expected to be normal.
const (
	maxOutside        = 64
	maxOutsideUnknown = 12 // of a device whose role is not known
	maxEntries        = 512
)

// draft is a suggestion under construction.
type draft struct {
	l      *Learner
	reg    *device.Registry
	now    int64
	calls  map[callKey]callSum
	uses   map[useKey]useSum
	alerts []alertPair
	items  []*item // in the order of the draft
	byID   map[uint32]*item
	left   int // devices that nothing identifies
}

type alertPair struct {
	alertKey
	trouble
}

// item is a device of the draft.
type item struct {
	d               *device.Device
	ip              netip.Addr
	mac             packet.MAC // matched by MAC unless it is zero
	name            string
	serves          string // kind of infrastructure server that it is, "" if none
	calls           deviceCalls
	infra           map[string]uint64 // sessions by infrastructure protocol
	allowed, review []entry
	expect          contract.Expect
	reason          string
}

// role returns the role of a device if it is at least probable, else Unknown.
func (x *item) role() device.Role {
	if x.d.Level < device.Probable {
		return device.Unknown
	}
	return x.d.Role
}

// Draft returns a draft of an inventory in YAML from what was learned. origin says where the traffic is from; internal are the internal networks
// that the user set, if any.
func (l *Learner) Draft(origin string, internal []netip.Prefix) ([]byte, error) {
	if l.ctx == nil {
		return nil, errors.New("no IP or ARP traffic: there is nothing to suggest an inventory from")
	}
	w := &draft{l: l, reg: l.ctx.Devices, now: l.ctx.Now, calls: map[callKey]callSum{}, uses: map[useKey]useSum{}, byID: map[uint32]*item{}}
	w.sum()
	w.choose()
	for k, s := range w.calls {
		if x := w.owner(k.dev, k.from); x != nil {
			x.calls[k] = s
		}
	}
	for k, s := range w.uses {
		if x := w.byID[k.dev]; x != nil {
			x.infra[k.kind] += s.sessions
		}
	}
	for _, x := range w.items {
		x.allowed, x.review = w.entries(x)
		x.expect, x.reason = w.expectation(x)
	}
	text := w.write(origin, internal)
	if _, err := config.ParseInventory("the draft", text); err != nil {
		return nil, fmt.Errorf("the draft is not a valid inventory; please report this: %w", err)
	}
	return text, nil
}

// sum copies what was learned, with the sessions that have not ended.
func (w *draft) sum() {
	calls, uses := lru.New[callKey, callSum](2*maxCalls), lru.New[useKey, useSum](2*maxUses)
	for k, s := range w.l.calls.All() {
		*calls.Put(k) = *s
	}
	for k, s := range w.l.uses.All() {
		*uses.Put(k) = *s
	}
	for _, x := range w.l.live.All() {
		w.l.add(x, calls, uses)
	}
	for k, s := range calls.All() {
		w.calls[k] = *s
	}
	for k, s := range uses.All() {
		w.uses[k] = *s
	}
	for k, t := range w.l.alerts.All() {
		w.alerts = append(w.alerts, alertPair{k, *t})
	}
	slices.SortFunc(w.alerts, func(a, b alertPair) int {
		return cmp.Or(b.severity-a.severity, cmp.Compare(a.first, b.first), cmp.Compare(a.device, b.device), a.ip.Compare(b.ip), a.peer.Compare(b.peer))
	})
}

// choose lists the devices that an inventory can name, in the order of their addresses, and names them.
func (w *draft) choose() {
	macs, ips := map[packet.MAC]bool{}, map[netip.Addr]bool{}
	all := w.reg.All()
	slices.SortFunc(all, func(a, b *device.Device) int {
		return cmp.Or(compareAddrs(a.IP(), b.IP()), cmp.Compare(a.Key, b.Key))
	})
	for _, d := range all {
		x := &item{d: d, ip: d.IP().Unmap().WithZone(""), calls: deviceCalls{}, infra: map[string]uint64{}}
		switch {
		case !d.MAC.IsZero() && !d.MAC.IsGroup() && !macs[d.MAC]:
			x.mac = d.MAC
			macs[d.MAC] = true
		case matchable(x.ip) && !ips[x.ip]:
			ips[x.ip] = true
		default:
			w.left++
			continue
		}
		w.items = append(w.items, x)
		w.byID[d.ID] = x
	}
	for k, s := range w.uses {
		if d := w.reg.ByIP(k.server); d != nil && w.byID[d.ID] != nil && (s.answered > 0 || k.kind == "syslog") {
			x := w.byID[d.ID]
			x.serves = min(either(x.serves, k.kind), k.kind)
		}
	}
	nameItems(w.items)
}

// compareAddrs sorts IPv4 before IPv6 before no address.
func compareAddrs(a, b netip.Addr) int {
	rank := func(a netip.Addr) int {
		switch {
		case a.Is4():
			return 0
		case a.IsValid():
			return 1
		}
		return 2
	}
	return cmp.Or(rank(a)-rank(b), a.Compare(b))
}

func matchable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}

// owner returns the device that opened a call: devices may have merged since.
func (w *draft) owner(id uint32, a netip.Addr) *item {
	if x := w.byID[id]; x != nil {
		return x
	}
	if d := w.reg.ByIP(a); d != nil {
		return w.byID[d.ID]
	}
	return nil
}

// expectation proposes what to expect of a device, and says why.
func (w *draft) expectation(x *item) (contract.Expect, string) {
	watched := "in " + terminal.Duration(time.Duration(max(w.now-x.d.FirstSeen, 0)))
	peers, outside := 0, 0
	for i, e := range x.allowed {
		if i > 0 && x.allowed[i-1].peer == e.peer {
			continue // sorted by peer
		}
		if peers++; !e.internal {
			outside++
		}
	}
	switch role := x.role(); {
	case x.d.Router:
		return contract.Normal, "it forwards for others"
	case role == device.NetworkGear:
		return contract.Normal, "it is part of the network"
	case x.d.Role == device.Workstation || x.d.Role == device.Phone: // also if that is only a hint: a wrong allowlist costs more
		return contract.Normal, x.d.Role.Phrase() + " opens what its user wants"
	case role == device.Unknown && outside > maxOutsideUnknown, outside > maxOutside, len(x.allowed) > maxEntries:
		return contract.Normal, fmt.Sprintf("too varied for an allowlist: %s, %d of them outside", counted(peers, "peer"), outside)
	case len(x.allowed) > 0:
		return contract.Allowlist, fmt.Sprintf("it opened sessions to %s %s", counted(peers, "peer"), watched)
	}
	what := "opened nothing"
	if kinds := slices.Sorted(maps.Keys(x.infra)); len(kinds) > 0 {
		what += " but " + strings.ToUpper(strings.Join(kinds, ", "))
	}
	if len(x.review) > 0 {
		what += " besides the lines to review"
	}
	if len(x.d.Serves) > 0 {
		return contract.ServerOnly, "it answers, and " + what + " " + watched
	}
	return contract.Silent, what + " " + watched
}

func counted(n int, noun string) string { return terminal.Counted(uint64(n), noun) }

func either(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// nameItems gives each device a name of its own: its host name, else role, vendor and the end of its MAC, else role and address.
func nameItems(items []*item) {
	used := map[string]int{}
	for _, x := range items {
		x.name = baseName(x)
		used[strings.ToLower(x.name)]++
	}
	taken := map[string]bool{}
	for _, x := range items {
		if used[strings.ToLower(x.name)] > 1 {
			x.name = cut(x.name, 44) + "-" + x.suffix()
		}
		for base, i := x.name, 2; taken[strings.ToLower(x.name)]; i++ {
			x.name = fmt.Sprintf("%s-%d", cut(base, 56), i)
		}
		taken[strings.ToLower(x.name)] = true
	}
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

func baseName(x *item) string {
	if k := x.d.Key; x.d.Declared && config.PlainName(k) {
		return k
	}
	for _, h := range x.d.Hostnames {
		h, _, _ = strings.Cut(h, ".")
		if n := slug(h); len(n) >= 2 && n != "localhost" && strings.ContainsAny(n, "abcdefghijklmnopqrstuvwxyz") {
			return n
		}
	}
	kind := "device"
	switch {
	case x.d.Router:
		kind = "router"
	case x.role() != device.Unknown:
		kind = slug(x.d.Role.String())
	case x.serves != "":
		kind = x.serves
	case x.d.Level != device.LevelUnknown:
		kind = slug(x.d.Role.String())
	}
	vendor, _, _ := strings.Cut(x.d.Vendor, " ")
	if v := slug(vendor); v != "" {
		kind += "-" + cut(v, 16)
	}
	return kind + "-" + x.suffix()
}

// suffix returns what tells devices with one name apart.
func (x *item) suffix() string {
	if !x.mac.IsZero() {
		return fmt.Sprintf("%02x%02x%02x", x.mac[3], x.mac[4], x.mac[5])
	}
	return strings.ReplaceAll(x.ip.String(), ":", "-")
}

// slug returns s as part of a name: lower case letters, digits and single hyphens.
func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 48 {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}
