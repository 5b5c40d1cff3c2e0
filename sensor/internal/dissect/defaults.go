// SPDX-License-Identifier: Apache-2.0

package dissect

// defaultPairs are user names and passwords that makers of cameras, recorders and other small devices publish as their
// factory setting, or that malware is known to try, as "user:password". None of them is a secret.
var defaultPairs = map[string]struct{}{
	"admin:": {}, "admin:admin": {}, "admin:12345": {}, "admin:123456": {}, "admin:1234": {}, "admin:password": {},
	"admin:9999": {}, "admin:4321": {}, "admin:1111": {}, "admin:11111": {}, "admin:111111": {}, "admin:1111111": {},
	"admin:54321": {}, "admin:123": {}, "admin:12345678": {}, "admin:123456789": {}, "admin:admin123": {}, "admin:admin1234": {},
	"admin:admin12345": {}, "admin:jvc": {}, "admin:meinsm": {}, "admin:pass": {}, "admin:smcadmin": {}, "admin:fliradmin": {},
	"admin:camera": {}, "admin:system": {}, "admin:7ujMko0admin": {}, "admin:7ujMko0vizxv": {}, "admin:wbox123": {},
	"admin:no password": {}, "admin:tlJwpbo6": {}, "admin:888888": {}, "admin:666666": {}, "admin:default": {}, "admin:tp-link": {},
	"admin:instar": {}, "admin:model": {}, "admin:abc123": {}, "admin1:password": {}, "Admin:": {}, "Admin:1234": {},
	"Admin:123456": {}, "Admin:Admin": {}, "ADMIN:ADMIN": {}, "administrator:": {}, "administrator:1234": {}, "administrator:admin": {},
	"Administrator:admin": {}, "Administrator:": {},
	"root:": {}, "root:root": {}, "root:pass": {}, "root:admin": {}, "root:camera": {}, "root:system": {}, "root:password": {},
	"root:12345": {}, "root:123456": {}, "root:1234": {}, "root:54321": {}, "root:888888": {}, "root:666666": {}, "root:default": {},
	"root:xc3511": {}, "root:vizxv": {}, "root:xmhdipc": {}, "root:juantech": {}, "root:jvbzd": {}, "root:anko": {}, "root:zlxx.": {},
	"root:7ujMko0vizxv": {}, "root:7ujMko0admin": {}, "root:ikwb": {}, "root:dreambox": {}, "root:realtek": {}, "root:00000000": {},
	"root:1111": {}, "root:klv123": {}, "root:klv1234": {}, "root:Zte521": {}, "root:hi3518": {}, "root:ubnt": {}, "root:user": {},
	"root:umanager": {}, "root:hslwificam": {}, "root:cat1029": {}, "root:tlJwpbo6": {}, "root:GM8182": {}, "root:antslq": {},
	"666666:666666": {}, "888888:888888": {}, "service:service": {}, "supervisor:supervisor": {}, "ubnt:ubnt": {}, "user:user": {},
	"user:": {}, "user:1234": {}, "user:123456": {}, "user:password": {}, "guest:guest": {}, "guest:": {}, "guest:12345": {},
	"support:support": {}, "tech:tech": {}, "mother:fucker": {}, "operator:operator": {}, "viewer:viewer": {}, "live:live": {},
	"default:default": {}, "default:": {}, "default:tluafed": {}, "default:OxhlwSG8": {}, "default:S2fGqNFs": {},
	"ubuntu:ubuntu": {}, "pi:raspberry": {}, "cisco:cisco": {}, "telnet:telnet": {}, "test:test": {}, "ftp:ftp": {},
	"tomcat:tomcat": {}, "admin:tomcat": {}, "postgres:postgres": {}, "oracle:oracle": {}, "nagios:nagios": {},
}

// isDefaultPair reports whether a pair is a well-known default. It keeps nothing.
func isDefaultPair(user, password []byte) bool {
	var buf [64]byte
	if len(user)+len(password)+1 > len(buf) {
		return false
	}
	pair := append(append(append(buf[:0], user...), ':'), password...)
	_, ok := defaultPairs[string(pair)]
	clear(buf[:])
	return ok
}
