// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

// networks counts the networks between which sessions were seen as long as no address was internal, to suggest to the operator what to
// declare. It holds at most maxNetworkPairs; sessions between later pairs are not counted.
type networks struct {
	inside bool // an internal address was seen
	pairs  map[networkPair]uint64
	all    uint64
}

// networkPair is a network, a /16 or a /48 of IPv6, and the network to which it opens sessions. The zero prefix is an endpoint that sent
// nothing.
type networkPair struct{ from, to netip.Prefix }

const (
	maxNetworkPairs = 4096
	maxSuggested    = 3
)

func (n *networks) add(v *session.View, r *device.Registry) {
	if n.inside {
		return
	}
	if r.InternalAddr(v.Initiator.Addr) || r.InternalAddr(v.Responder.Addr) {
		n.inside, n.pairs = true, nil
		return
	}
	var k networkPair
	if v.Packets[session.Out] > 0 && !v.Initiator.Addr.Netip().IsUnspecified() { // as in DHCP
		k.from = networkOf(v.Initiator.Addr.Netip())
	}
	if v.Packets[session.In] > 0 {
		k.to = networkOf(v.Responder.Addr.Netip())
	}
	if k == (networkPair{}) {
		return
	}
	if n.pairs == nil {
		n.pairs = map[networkPair]uint64{}
	}
	if _, ok := n.pairs[k]; ok || len(n.pairs) < maxNetworkPairs {
		n.pairs[k]++
		n.all++
	}
}

func networkOf(a netip.Addr) netip.Prefix {
	bits := 16
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits)
	return p
}

// suggest returns the smallest set of networks that covers an endpoint of nine tenths of the sessions, at most maxSuggested. Of two networks
// with as many sessions it prefers the one that opens more, because a network is watched for what its devices open.
func (n *networks) suggest() (chosen []netip.Prefix) {
	left := n.all
	for len(chosen) < maxSuggested && 10*left > n.all {
		type score struct{ sessions, opened uint64 }
		scores := map[netip.Prefix]score{}
		for k, sessions := range n.pairs {
			if slices.Contains(chosen, k.from) || slices.Contains(chosen, k.to) {
				continue
			}
			from := scores[k.from]
			scores[k.from] = score{from.sessions + sessions, from.opened + sessions}
			if k.to != k.from {
				scores[k.to] = score{scores[k.to].sessions + sessions, scores[k.to].opened}
			}
		}
		delete(scores, netip.Prefix{})
		var best netip.Prefix
		for p, s := range scores {
			b := scores[best]
			if s.sessions > b.sessions || s.sessions == b.sessions && (s.opened > b.opened || s.opened == b.opened && p.Addr().Less(best.Addr())) {
				best = p
			}
		}
		if !best.IsValid() {
			break
		}
		chosen = append(chosen, best)
		left -= scores[best].sessions
	}
	return chosen
}
