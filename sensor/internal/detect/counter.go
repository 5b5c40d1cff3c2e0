// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"net/netip"
	"slices"
)

// maxListed bounds the lists of peers that a finding carries.
const maxListed = 50

// counter counts observations that recur. Reports are due at 1, 2, 4, 8 …, so that a flood causes few of them.
type counter struct {
	count, reported int
	first, last     int64
	peers           []string // distinct, in the order of arrival, at most maxListed
}

// begin resets the counter if nothing was counted for the given time, and reports whether it did. What was reported is kept for at
// least a day, while its alert is open, so that text and count of the alert agree.
func (t *counter) begin(at, within int64) bool {
	if t.reported > 0 {
		within = max(within, day)
	}
	if t.count == 0 || at-t.last <= within {
		return false
	}
	*t = counter{}
	return true
}

// add counts one observation and reports whether a report is due.
func (t *counter) add(at int64) bool {
	t.last = max(t.last, at)
	if t.count == 0 || at < t.first {
		t.first = at
	}
	t.count++
	return t.count&(t.count-1) == 0
}

// addPeer counts one observation of a peer, as add does. It does not allocate for a peer that is listed already.
func (t *counter) addPeer(at int64, peer netip.Addr) bool {
	if len(t.peers) < maxListed {
		var room [64]byte
		text := peer.AppendTo(room[:0])
		if !slices.ContainsFunc(t.peers, func(p string) bool { return p == string(text) }) {
			t.peers = append(t.peers, string(text))
		}
	}
	return t.add(at)
}

// take returns the number of observations since the last report and marks them as reported.
func (t *counter) take() int {
	n := t.count - t.reported
	t.reported = t.count
	return n
}

// lower removes n observations.
func (t *counter) lower(n int) {
	t.count = max(0, t.count-n)
	t.reported = min(t.reported, t.count)
}

func addDistinct[T comparable](list []T, v T, limit int) []T {
	if len(list) >= limit || slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

// ipEntities returns the search keys of addresses.
func ipEntities(addrs []string) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = "ip:" + a
	}
	return out
}
