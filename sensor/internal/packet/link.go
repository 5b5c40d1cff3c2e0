// SPDX-License-Identifier: Apache-2.0

package packet

// LinkType is a LINKTYPE_ value of the pcap file format (IETF draft-ietf-opsawg-pcaplinktype).
type LinkType uint16

// The link types that are decoded; frames of any other have VerdictLinkType.
const (
	LinkNull      LinkType = 0
	LinkEthernet  LinkType = 1
	LinkPPP       LinkType = 9
	LinkPPPHDLC   LinkType = 50
	LinkPPPoE     LinkType = 51
	LinkRawBSD12  LinkType = 12
	LinkRawBSD14  LinkType = 14
	LinkRaw       LinkType = 101
	LinkCiscoHDLC LinkType = 104
	LinkLoop      LinkType = 108
	LinkLinuxSLL  LinkType = 113
	LinkIPv4      LinkType = 228
	LinkIPv6      LinkType = 229
	LinkNFLOG     LinkType = 239
	LinkSLL2      LinkType = 276
)
