// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
)

// LooksVNC recognizes the version that a VNC server sends first.
func LooksVNC(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.AnyPrefix(head, "RFB 003.", "RFB 004.", "RFB 005.")
}
