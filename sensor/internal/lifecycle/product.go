// SPDX-License-Identifier: Apache-2.0

package lifecycle

import "strings"

// Product is a program that a server names in its greeting.
type Product struct {
	Name, Version string
	// Distribution is the operating system that maintains it, "" if the greeting names none. A distribution corrects an old version for
	// as long as it supports its own release.
	Distribution string
}

// distributions are the systems that greetings name, with how they are written there in lower case.
var distributions = []struct{ mark, name string }{
	{"ubuntu", "Ubuntu"}, {"debian", "Debian"}, {"+deb", "Debian"}, {"~deb", "Debian"}, {"raspbian", "Debian"}, {"centos", "CentOS"},
	{"red hat", "Red Hat"}, {"fedora", "Fedora"}, {"freebsd", "FreeBSD"}, {"suse", "SUSE"}, {"amazon", "Amazon"}, {"almalinux", "AlmaLinux"},
	{"rocky", "Rocky"}, {"-fips", "Red Hat"},
}

// names are the products that are looked for, as they are written in lower case before their version.
var names = []struct{ mark, name string }{
	{"openssh_for_windows_", "OpenSSH for Windows"}, {"openssh_", "OpenSSH"}, {"dropbear_", "Dropbear"}, {"dropbear sshd ", "Dropbear"},
	{"apache-coyote/", ""}, {"apache/", "Apache"}, {"nginx/", "nginx"}, {"lighttpd/", "lighttpd"}, {"microsoft-iis/", "IIS"}, {"php/", "PHP"},
	{"openssl/", "OpenSSL"}, {"exim ", "Exim"}, {"nostromo ", "Nostromo"},
}

// maxGreeting is how much of a greeting is looked at.
const maxGreeting = 256

// Products returns the programs that a greeting names with their versions, in the order of names: an SSH banner, a Server header, the line
// of an FTP or mail server.
func Products(greeting string) (out []Product) {
	if len(greeting) > maxGreeting {
		greeting = greeting[:maxGreeting]
	}
	low := strings.ToLower(greeting)
	distribution := ""
	for _, d := range distributions {
		if strings.Contains(low, d.mark) {
			distribution = d.name
			break
		}
	}
	for _, p := range names {
		i := strings.Index(low, p.mark)
		if i < 0 {
			continue
		}
		low = low[:i] + strings.Repeat(" ", len(p.mark)) + low[i+len(p.mark):] // openssh_for_windows_ is no openssh_
		version := low[i+len(p.mark):]
		version = version[:versionLength(version)]
		if p.name != "" && version != "" {
			out = append(out, Product{p.name, version, distribution})
		}
	}
	return out
}

// versionLength returns how many bytes at the beginning belong to a version, which begins with a digit: "7.4p1", "0.9.8t", "2012.55".
func versionLength(s string) int {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0
	}
	n := 0
	for n < len(s) && n < 24 && (s[n] >= '0' && s[n] <= '9' || s[n] == '.' || s[n] >= 'a' && s[n] <= 'z') {
		n++
	}
	return len(strings.TrimRight(s[:n], "."))
}
