// SPDX-License-Identifier: Apache-2.0

package lan

import "stillwatch/sensor/internal/dissect"

// Protocols behind LLC, as the packet decoder passes them on.
const (
	llcSTP   = "\x42\x42\x03"         // IEEE 802.1D: DSAP, SSAP, unnumbered information
	snapPVST = "\x00\x00\x0c\x01\x0b" // Cisco: OUI and protocol of SNAP
)

// readSTP reads a BPDU (IEEE 802.1D-2004 section 9.3) that names the root and the bridge that sent it: the class is root_bridge if they are one.
// A topology change notification names neither.
func readSTP(m *dissect.NeighborMessage, b []byte) bool {
	const size, config, rapid, maxVersion = 35, 0, 2, 4
	if len(b) < size || b[0] != 0 || b[1] != 0 || b[2] > maxVersion || b[3] != config && b[3] != rapid {
		return false
	}
	root, bridge := [8]byte(b[5:13]), [8]byte(b[17:25])
	m.MAC = [6]byte(bridge[2:])
	if m.MAC == [6]byte{} || m.MAC[0]&1 != 0 {
		return false
	}
	m.Class = "bridge"
	if root == bridge {
		m.Class = "root_bridge"
	}
	return true
}
