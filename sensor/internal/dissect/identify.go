// SPDX-License-Identifier: Apache-2.0

package dissect

// verdict is what an identifier says of the first bytes of a stream. It is monotone: more bytes may turn maybe into yes or
// no, nothing else, so how a stream was cut into packets cannot change what it is taken for.
type verdict uint8

const (
	no verdict = iota
	maybe
	yes
)

// streamIdentifier tells one protocol by the first bytes of one direction. If final is set no more bytes will come, and
// maybe counts as no.
type streamIdentifier struct {
	app   AppID // without a name if the dissector gives it later
	looks func(head []byte, final bool, ports Ports) verdict
	open  func(c *Conversation) streamDissector // nil: the protocol is named and not read
}

// datagramIdentifier tells one protocol by a whole datagram.
type datagramIdentifier struct {
	app   AppID
	first string   // ranges of the first byte, from and to; "" for any
	where []uint16 // the ports of which one must be used; none for any
	looks func(data []byte, ports Ports) bool
	open  func(c *Conversation) datagramDissector
}

// takes reports whether a datagram of this protocol may begin with c.
func (id *datagramIdentifier) takes(c byte) bool {
	for i := 0; i < len(id.first); i += 2 {
		if id.first[i] <= c && c <= id.first[i+1] {
			return true
		}
	}
	return id.first == ""
}

// fits reports whether a datagram between ports may be of this protocol.
func (id *datagramIdentifier) fits(data []byte, ports Ports) bool {
	return (len(id.where) == 0 || ports.has(id.where...)) && id.looks(data, ports)
}

// matchStream gives the first entry that does not say no.
func matchStream(table []streamIdentifier, head []byte, final bool, ports Ports) (*streamIdentifier, verdict) {
	for i := range table {
		switch v := table[i].looks(head, final, ports); {
		case v == yes, v == maybe && !final:
			return &table[i], v
		}
	}
	return nil, no
}

// startsWith says whether head begins with prefix, as far as it goes.
func startsWith(head []byte, prefix string) verdict {
	n := min(len(head), len(prefix))
	switch {
	case string(head[:n]) != prefix[:n]:
		return no
	case n < len(prefix):
		return maybe
	}
	return yes
}

// startsWithAny is the best verdict over prefixes, none of which is the beginning of another.
func startsWithAny(head []byte, prefixes ...string) verdict {
	best := no
	for _, p := range prefixes {
		best = max(best, startsWith(head, p))
	}
	return best
}

// has reports whether either end uses one of ports.
func (p Ports) has(ports ...uint16) bool {
	for _, x := range ports {
		if p.Server == x || p.Client == x {
			return true
		}
	}
	return false
}
