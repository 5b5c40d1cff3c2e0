// SPDX-License-Identifier: Apache-2.0

package session

// icmpPair is a request type and the type that answers it.
type icmpPair struct{ ask, answer uint16 }

// The two-way types of the Community ID specification, version 1.
var icmp4Pairs = [...]icmpPair{
	{8, 0},   // echo
	{10, 9},  // router solicitation, advertisement (RFC 1256)
	{13, 14}, // timestamp
	{15, 16}, // information
	{17, 18}, // address mask
}

var icmp6Pairs = [...]icmpPair{
	{128, 129}, // echo
	{130, 131}, // multicast listener query, report
	{133, 134}, // router solicitation, advertisement
	{135, 136}, // neighbor solicitation, advertisement
	{139, 140}, // who are you
	{144, 145}, // home agent address discovery
}

// icmpPorts returns the values used as ports of a message, and reports whether an answer to it exists.
func icmpPorts(pairs []icmpPair, typ, code uint16) (src, dst uint16, twoWay bool) {
	for _, x := range pairs {
		if typ == x.ask {
			return typ, x.answer, true
		}
		if typ == x.answer {
			return typ, x.ask, true
		}
	}
	return typ, code, false
}

// icmpAnswers reports whether the message is an answer: then its receiver opened the session.
func icmpAnswers(pairs []icmpPair, typ uint16) (answer, twoWay bool) {
	for _, x := range pairs {
		if typ == x.answer {
			return true, true
		}
		if typ == x.ask {
			return false, true
		}
	}
	return false, false
}
