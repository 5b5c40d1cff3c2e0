// SPDX-License-Identifier: Apache-2.0

package packet

// LinkType is a LINKTYPE_ value of the pcap file format (IETF draft-ietf-opsawg-pcaplinktype).
type LinkType uint16

// The link types that are decoded. Frames of others have VerdictLinkType.
const (
	LinkNull              LinkType = 0
	LinkEthernet          LinkType = 1
	LinkPPP               LinkType = 9
	LinkPPPHDLC           LinkType = 50
	LinkPPPoE             LinkType = 51
	LinkRawBSD12          LinkType = 12
	LinkRawBSD14          LinkType = 14
	LinkRaw               LinkType = 101
	LinkCiscoHDLC         LinkType = 104
	LinkIEEE80211         LinkType = 105
	LinkLoop              LinkType = 108
	LinkLinuxSLL          LinkType = 113
	LinkPrism             LinkType = 119
	LinkRadiotap          LinkType = 127
	LinkAVS               LinkType = 163
	LinkPPI               LinkType = 192
	LinkIPv4              LinkType = 228
	LinkIPv6              LinkType = 229
	LinkNFLOG             LinkType = 239
	LinkPKTAP             LinkType = 258
	LinkSLL2              LinkType = 276
	LinkBroadcom          LinkType = 281
	LinkBroadcomPrepended LinkType = 282
	LinkDSA               LinkType = 284
	LinkEDSA              LinkType = 285
)
