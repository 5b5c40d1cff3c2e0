// SPDX-License-Identifier: Apache-2.0

package privilege

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// wholeABI is the version of Landlock that covers all requested restrictions: truncation since 3, ioctl on devices since 5.
const wholeABI = 5

const (
	mayRead  = landlock.AccessFSSet(ll.AccessFSReadFile | ll.AccessFSReadDir)
	mayWrite = mayRead | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSMakeReg | ll.AccessFSMakeDir | ll.AccessFSRemoveFile | ll.AccessFSRemoveDir
)

// restrictFiles prevents opening files other than those in the configuration, and those under /proc that the metrics need.
func restrictFiles(c Config) (Protection, error) {
	p := Protection{Name: Landlock}
	abi, err := ll.LandlockGetABIVersion()
	if err != nil || abi < 1 {
		p.Lack = "not in this kernel, or not enabled: files are protected by their permissions only"
		return p, nil
	}
	read, write := readable(c), slices.DeleteFunc(slices.Clone(c.Write), func(s string) bool { return s == "" })
	rules := []landlock.Rule{
		landlock.PathAccess(mayRead, existing(read, true)...),
		landlock.PathAccess(ll.AccessFSReadFile, existing(read, false)...),
		landlock.PathAccess(mayWrite, write...),
	}
	if err := landlock.V5.BestEffort().RestrictPaths(rules...); err != nil {
		return p, err
	}
	p.Active = abi >= wholeABI
	p.Detail = fmt.Sprintf("version %d, reads %s, writes %s", abi, strings.Join(read, ", "), listText(write))
	if !p.Active {
		p.Lack = fmt.Sprintf("version %d of the kernel does not cover truncation and ioctl of other files, which version %d does", abi, wholeABI)
	}
	return p, nil
}

// readable returns the files and folders that stay readable.
func readable(c Config) []string {
	all := append(foldersOf(c.Read), "/proc/self", "/proc/stat")
	if c.Names {
		all = append(all, resolverFiles()...)
	}
	return all
}

// resolverFiles is the files that name resolution reads. DHCP clients replace resolv.conf, so its folder must stay readable; but root can read
// secrets in /etc, so for root only the files stay readable, and name resolution fails after one is replaced.
func resolverFiles() []string {
	files := []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"}
	all := []string{"/etc/services", "/etc/ssl", "/etc/pki", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"}
	for _, f := range files {
		if os.Geteuid() != 0 {
			all = append(all, "/etc")
		}
		if r := resolved(f); filepath.Dir(r) != "/etc" {
			all = append(all, filepath.Dir(r))
		}
	}
	return append(all, files...)
}

// existing returns the paths that are folders, or those that are not; missing ones are left out.
func existing(names []string, folders bool) (all []string) {
	for _, n := range names {
		if info, err := os.Stat(n); err == nil && info.IsDir() == folders {
			all = append(all, n)
		}
	}
	return all
}

func listText(all []string) string {
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}
