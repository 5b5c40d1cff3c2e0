// SPDX-License-Identifier: Apache-2.0

package auth

import "fmt"

// Role is what somebody may do. Each role may do what the ones before it may.
type Role string

// The roles. A viewer reads alerts, incidents, devices and sensors; an analyst reads the records that were refused too;
// an admin reads the audit trail, and makes and revokes API tokens.
const (
	Viewer  Role = "viewer"
	Analyst Role = "analyst"
	Admin   Role = "admin"
)

// Roles lists all of them, the weakest first.
func Roles() []Role { return []Role{Viewer, Analyst, Admin} }

// ParseRole reads a role.
func ParseRole(s string) (Role, error) {
	if r := Role(s); r.rank() > 0 {
		return r, nil
	}
	return "", fmt.Errorf("role %.40q: want viewer, analyst or admin", s)
}

// Allows tells whether r may do what needs. A role that is unknown may do nothing, and nobody may do what needs one.
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
