// SPDX-License-Identifier: Apache-2.0

package privilege

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// opening lists the capabilities for opening an interface, in either mode.
func opening() []cap.Value { return []cap.Value{cap.NET_RAW, cap.NET_ADMIN, cap.BPF, cap.PERFMON} }

// Missing returns the named capabilities (in lower case, as in capabilities(7)) that this process does not have.
func Missing(names ...string) (missing []string) {
	have := cap.GetProc()
	for _, name := range names {
		v, err := cap.FromName(name)
		if err == nil {
			if on, err := have.GetFlag(cap.Effective, v); err == nil && on {
				continue
			}
		}
		missing = append(missing, name)
	}
	return missing
}

// Become changes from root to the named user and keeps only the capabilities for opening the interface. Call it before files are opened, so
// that they belong to that user. It sets HOME, because default folders depend on it.
func Become(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("--user %s: %w", name, err)
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	ids, err := u.GroupIds()
	if err := errors.Join(errUID, errGID, err); err != nil {
		return fmt.Errorf("--user %s: %w", name, err)
	}
	switch {
	case uid == 0:
		return fmt.Errorf("--user %s: this is root; name a user without privileges", name)
	case os.Getuid() == uid:
		return nil
	case os.Getuid() != 0:
		return fmt.Errorf("--user %s: only root can change to another user; start as root, or leave --user out", name)
	}
	var groups []int
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			groups = append(groups, n)
		}
	}
	have := cap.GetProc()
	if err := errors.Join(cap.SetGroups(gid, groups...), cap.SetUID(uid)); err != nil {
		return fmt.Errorf("--user %s: %w", name, err)
	}
	if err := set(only(have, opening())); err != nil {
		return fmt.Errorf("--user %s: keep the capabilities for opening the interface: %w", name, err)
	}
	return os.Setenv("HOME", u.HomeDir)
}

// setCapabilities empties all capability sets, except for keep in the permitted and effective sets. The bounding set is emptied if that is
// allowed; otherwise no_new_privs prevents gaining capabilities.
func setCapabilities(keep []cap.Value) error {
	if len(Missing("cap_setpcap")) == 0 {
		for v := cap.Value(0); v < cap.MaxBits(); v++ {
			if err := cap.DropBound(v); err != nil {
				return err
			}
		}
	}
	if err := cap.ResetAmbient(); err != nil {
		return err
	}
	return set(only(cap.GetProc(), keep))
}

// only returns the capabilities that are permitted in have.
func only(have *cap.Set, want []cap.Value) (all []cap.Value) {
	for _, v := range want {
		if on, err := have.GetFlag(cap.Permitted, v); err == nil && on {
			all = append(all, v)
		}
	}
	return all
}

func set(values []cap.Value) error {
	s := cap.NewSet()
	if err := errors.Join(s.SetFlag(cap.Permitted, true, values...), s.SetFlag(cap.Effective, true, values...)); err != nil {
		return err
	}
	return s.SetProc()
}
