// SPDX-License-Identifier: Apache-2.0

package device

import "stillwatch/sensor/internal/watchtime"

// seenMark is the watched time of FirstSeen.
func (d *Device) seenMark() watchtime.Mark { return watchtime.Mark{VLAN: d.seenVLAN, At: d.seenAt} }

func (d *Device) setSeen(m watchtime.Mark) { d.seenVLAN, d.seenAt = m.VLAN, m.At }

// openedMark is the watched time of LastOrigination.
func (d *Device) openedMark() watchtime.Mark {
	return watchtime.Mark{VLAN: d.openedVLAN, At: d.openedAt}
}

func (d *Device) setOpened(m watchtime.Mark) { d.openedVLAN, d.openedAt = m.VLAN, m.At }
