// SPDX-License-Identifier: Apache-2.0

// Package protocol is the registration of protocols: by what the sensor recognizes each one, what reads it, and what the documentation says
// of it. The file of a dissector adds its registration to the list of its family (var _ = Protocols.Add), and package dispatch reads the lists.
package protocol

import (
	"fmt"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
)

// Protocol is all that the rest of the sensor knows of a protocol.
type Protocol struct {
	Name  string // by which sessions are named
	Signs string // by which it is recognized
	Ports string // of which one is needed, and in which case if not always; "" if none is
	Reads string // what its dissectors report beside the name; "" if sessions are named and not read
	Login Login

	// What recognizes it. Both are empty for a protocol that only several datagrams together show, see Beside.
	Streams   []Stream
	Datagrams []Datagram

	Beside string // the transport of a protocol that is recognized by several datagrams together
}

// Login is how the outcome of a login becomes known.
type Login string

// The ways in which the outcome of a login becomes known.
const (
	LoginNone     Login = "none"     // the protocol has no logins, or they are those of what it carries
	LoginUnread   Login = "not read" // the sensor does not read them
	LoginExplicit Login = "explicit" // the server states the outcome in clear text
	LoginInferred Login = "inferred" // from the sizes of encrypted packets
)

// Side tells whose first bytes are looked at.
type Side uint8

// The sides of a session over TCP. The values of Client and Server are those of dissect.FromClient and dissect.FromServer.
const (
	Client Side = dissect.FromClient
	Server Side = dissect.FromServer
	Either Side = 2
)

// Stream recognizes a protocol by the first bytes of one side of a TCP session. Of all entries for this side that do not rule themselves out,
// the one of the lowest order decides. So an entry that accepts more than another one has a higher order.
type Stream struct {
	From  Side
	Order int // differs from that of every other entry for the same side
	Looks func(head []byte, final bool, ports dissect.Ports) match.Verdict

	// New returns the dissector; it is nil if the protocol is named and not read. NewFor replaces it for a dissector that needs the ports.
	New    func() dissect.Stream
	NewFor func(dissect.Ports) dissect.Stream

	// Names has the protocols between which the dissector decides, if this entry does not know which it is. The dissector names the session.
	Names []string
}

// Datagram recognizes a protocol by a whole UDP datagram. Of all entries that fit a datagram, the one of the lowest order decides.
type Datagram struct {
	Order int      // differs from that of every other entry
	First string   // ranges of the first byte, as pairs; "" for any
	Ports []uint16 // ports of which one must be used; none for any
	Looks func(data []byte, ports dissect.Ports) bool
	New   func() dissect.Datagrams // nil if the protocol is named and not read
}

// Takes reports whether a datagram of d may begin with c.
func (d *Datagram) Takes(c byte) bool {
	for i := 0; i < len(d.First); i += 2 {
		if d.First[i] <= c && c <= d.First[i+1] {
			return true
		}
	}
	return d.First == ""
}

// Fits reports whether a datagram between ports is of this protocol. An empty one is of none.
func (d *Datagram) Fits(data []byte, ports dissect.Ports) bool {
	return len(data) > 0 && (len(d.Ports) == 0 || ports.Has(d.Ports...)) && d.Looks(data, ports)
}

// List has the protocols of one family.
type List []*Protocol

// Add adds a protocol to the list before main starts; what it returns has no meaning. It panics if two protocols of the family have the same
// name.
func (l *List) Add(p Protocol) struct{} {
	for _, other := range *l {
		if other.Name == p.Name {
			panic(fmt.Sprintf("dissect: two protocols are named %q", p.Name))
		}
	}
	*l = append(*l, &p)
	return struct{}{}
}
