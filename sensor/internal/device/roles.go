// SPDX-License-Identifier: Apache-2.0

package device

import "stillwatch/sensor/internal/device/evidence"

// Role, Level and Evidence are those of package evidence.
type (
	Role     = evidence.Role
	Level    = evidence.Level
	Evidence = evidence.Item
)

// The roles and levels.
const (
	Unknown     = evidence.Unknown
	Camera      = evidence.Camera
	NVR         = evidence.NVR
	VMS         = evidence.VMS
	Server      = evidence.Server
	Workstation = evidence.Workstation
	Phone       = evidence.Phone
	Printer     = evidence.Printer
	NetworkGear = evidence.NetworkGear
	IoTHub      = evidence.IoTHub
	IoT         = evidence.IoT

	LevelUnknown = evidence.LevelUnknown
	Hint         = evidence.Hint
	Probable     = evidence.Probable
	Identified   = evidence.Identified
)

// ParseRole returns the role with the given name, and whether there is one.
func ParseRole(name string) (Role, bool) { return evidence.ParseRole(name) }

// RoleNames returns the names of all roles except unknown.
func RoleNames() []string { return evidence.RoleNames() }
