// SPDX-License-Identifier: Apache-2.0

package auth

import "fmt"

// Role is a set of permissions. Each role includes the permissions of the previous ones.
type Role string

// The roles. A viewer reads alerts, incidents, devices and sensors. An analyst also reads the packets of alerts and the dead-letter
// queue. An admin also reads
// the audit log, and creates and revokes API tokens.
const (
	Viewer  Role = "viewer"
	Analyst Role = "analyst"
	Admin   Role = "admin"
)

// Roles returns all roles in ascending order.
func Roles() []Role { return []Role{Viewer, Analyst, Admin} }

// ParseRole parses a role.
func ParseRole(s string) (Role, error) {
	if r := Role(s); r.rank() > 0 {
		return r, nil
	}
	return "", fmt.Errorf("unknown role %.40q: use viewer, analyst or admin", s)
}

// Allows reports whether r includes the permissions of needs. Unknown roles have no permissions and are never satisfied.
func (r Role) Allows(needs Role) bool { return needs.rank() > 0 && r.rank() >= needs.rank() }

func (r Role) rank() int {
	switch r {
	case Viewer:
		return 1
	case Analyst:
		return 2
	case Admin:
		return 3
	}
	return 0
}
