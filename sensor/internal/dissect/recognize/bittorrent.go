// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "bittorrent",
	Signs: "handshake `13 BitTorrent protocol`; keys of a DHT message; search in the local network",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 300, Looks: LooksBitTorrent},
	},
	Datagrams: []protocol.Datagram{
		{Order: 190, First: "BB", Looks: LooksLocalPeers},
		{Order: 600, First: "dd", Looks: LooksDHT},
	},
})

// LooksDHT recognizes the messages of BitTorrent's distributed hash table (BEP 5): dictionaries with the keys of a
// query, an answer or an error.
func LooksDHT(b []byte, _ dissect.Ports) bool {
	return match.AnyPrefix(b, "d1:ad2:id20:", "d1:rd2:id20:", "d2:ip6:", "d2:ip4:", "d1:eli20") == match.Yes && b[len(b)-1] == 'e'
}

// LooksBitTorrent recognizes the handshake of BitTorrent.
func LooksBitTorrent(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.Prefix(head, "\x13BitTorrent protocol")
}
