// SPDX-License-Identifier: Apache-2.0

package logins

// defaults are, by user name, the passwords that vendors of cameras, recorders and other small devices publish as
// factory settings or that malware is known to try. None of them is a secret.
var defaults = map[string][]string{
	"admin": {"", "admin", "12345", "123456", "1234", "password", "9999", "4321", "1111", "11111", "111111", "1111111",
		"54321", "123", "12345678", "123456789", "admin123", "admin1234", "admin12345", "jvc", "meinsm", "pass", "smcadmin",
		"fliradmin", "camera", "system", "7ujMko0admin", "7ujMko0vizxv", "wbox123", "no password", "888888",
		"666666", "default", "tp-link", "instar", "model", "abc123", "tomcat", "hikvision", "Hik12345", "dahua", "ipcam",
		"foscam", "ovislink", "0000", "ikwd"},
	"admin1":        {"password"},
	"Admin":         {"", "1234", "123456", "Admin"},
	"ADMIN":         {"ADMIN"},
	"administrator": {"", "1234", "admin"},
	"Administrator": {"admin", ""},
	"root": {"", "root", "pass", "admin", "camera", "system", "password", "12345", "123456", "1234", "54321", "888888",
		"666666", "default", "xc3511", "vizxv", "xmhdipc", "juantech", "jvbzd", "anko", "zlxx.", "7ujMko0vizxv",
		"7ujMko0admin", "ikwb", "dreambox", "realtek", "00000000", "1111", "klv123", "klv1234", "Zte521", "hi3518", "ubnt",
		"user", "umanager", "hslwificam", "cat1029", "GM8182", "antslq"},
	"666666":     {"666666"},
	"888888":     {"888888"},
	"service":    {"service"},
	"supervisor": {"supervisor"},
	"ubnt":       {"ubnt"},
	"user":       {"user", "", "1234", "123456", "password"},
	"guest":      {"guest", "", "12345"},
	"support":    {"support"},
	"tech":       {"tech"},
	"operator":   {"operator"},
	"viewer":     {"viewer"},
	"live":       {"live"},
	"default":    {"default", "", "tluafed", "OxhlwSG8", "S2fGqNFs"},
	"ubuntu":     {"ubuntu"},
	"pi":         {"raspberry"},
	"cisco":      {"cisco"},
	"telnet":     {"telnet"},
	"test":       {"test"},
	"ftp":        {"ftp"},
	"tomcat":     {"tomcat"},
	"postgres":   {"postgres"},
	"oracle":     {"oracle"},
	"nagios":     {"nagios"},
}

// DefaultPasswords returns the well-known default passwords of a user.
func DefaultPasswords(user []byte) []string { return defaults[string(user)] }

// IsDefaultPair reports whether a pair is a well-known default. It keeps neither.
func IsDefaultPair(user, password []byte) bool {
	for _, p := range defaults[string(user)] {
		if p == string(password) {
			return true
		}
	}
	return false
}
