// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "tftp",
	Signs: "operation, file name, mode",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 630, First: "\x00\x00", Looks: LooksTFTP},
	},
})

// LooksTFTP recognizes a request: operation, file name, mode (RFC 1350 section 5).
func LooksTFTP(b []byte, _ dissect.Ports) bool {
	if len(b) < 9 || b[0] != 0 || b[1] != 1 && b[1] != 2 {
		return false
	}
	name, rest, ok := bytes.Cut(b[2:], []byte{0})
	mode, _, ok2 := bytes.Cut(rest, []byte{0})
	return ok && ok2 && len(name) > 0 && parse.IsPlain(name) && (parse.FoldEqual(mode, "octet") || parse.FoldEqual(mode, "netascii") || parse.FoldEqual(mode, "mail"))
}
