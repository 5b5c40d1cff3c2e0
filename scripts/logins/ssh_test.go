// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"stillwatch/schemas"
)

var sshProtocol = protocol{
	name: "ssh", evidence: "inferred", rows: sshRows(), says: saysSSH,
	needs: []string{"/usr/sbin/sshd", "ssh", "ssh-keygen", "dropbear", "dropbearconvert", "dropbearkey", "dbclient", "plink", "curl"},
}

// saysSSH returns the result in the record. A client that only asks for the methods makes no attempt; its result is unknown.
func saysSSH(sessions []schemas.Session, _ []schemas.Alert) string {
	if len(sessions) != 1 || sessions[0].SSH == nil {
		return fmt.Sprintf("%d sessions", len(sessions))
	}
	if sessions[0].SSH.Auth == "" {
		return "unknown"
	}
	return sessions[0].SSH.Auth
}

// The account on every server. It has root's user id, so that servers need no other. The hash is that of the password.
const (
	sshUser     = "admin"
	sshPassword = "correct horse"
	sshHash     = "$6$stillwatch$w9.iv7MGzHvDWgJ77yuuMLVeY3AjAfCzKsp8NvNUCnYsMrhxmVOfQd/LT4DgrpkH2UbehyjPr/OV8EQON1aGQ/"
	sshBanner   = "Authorized use only. Everything that is done here is written down and may be read by others.\n"
)

// sshFiles writes keys for all servers of the protocol, and the account for this one.
func sshFiles(at *site) error {
	home := filepath.Join(at.shared, "home")
	if _, err := os.Stat(home); err != nil {
		if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
			return err
		}
		for _, key := range []string{"host", "user", "stranger"} {
			if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", filepath.Join(at.shared, key)).CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
		}
		for _, key := range []string{"host", "user", "stranger"} {
			file := filepath.Join(at.shared, key)
			if out, err := exec.Command("dropbearconvert", "openssh", "dropbear", file, file+".dropbear").CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
		}
		// Debian's Dropbear exits if a client offers RSA and it has no RSA key.
		if out, err := exec.Command("dropbearkey", "-t", "rsa", "-f", filepath.Join(at.shared, "rsa.dropbear")).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		public, err := os.ReadFile(filepath.Join(at.shared, "user.pub"))
		if err = errors.Join(err, os.WriteFile(filepath.Join(home, ".ssh", "authorized_keys"), public, 0o600),
			os.WriteFile(filepath.Join(at.shared, "askpass"), []byte("#!/bin/sh\nread -r word <\"$SSH_WORDS\" || exit 1\nsed -i 1d \"$SSH_WORDS\"\nprintf '%s\\n' \"$word\"\n"), 0o700)); err != nil {
			return err
		}
	}
	passwd, err := os.ReadFile("/etc/passwd")
	return errors.Join(err,
		os.WriteFile(filepath.Join(at.dir, "passwd"), fmt.Appendf(passwd, "%s:x:0:0::%s:/bin/sh\n", sshUser, home), 0o644),
		os.WriteFile(filepath.Join(at.dir, "shadow"), fmt.Appendf(nil, "%s:%s:19000:0:99999:7:::\n", sshUser, sshHash), 0o600),
		os.WriteFile(filepath.Join(at.dir, "banner"), []byte(sshBanner), 0o644),
		os.MkdirAll("/run/sshd", 0o755),
	)
}

func sshMounts(at *site) [][2]string {
	return [][2]string{{filepath.Join(at.dir, "passwd"), "/etc/passwd"}, {filepath.Join(at.dir, "shadow"), "/etc/shadow"}}
}

// openSSH returns an OpenSSH server with options.
func openSSH(name string, options ...string) *server {
	return &server{name: strings.TrimSpace("OpenSSH " + name), prepare: sshFiles, mounts: sshMounts, command: func(at *site) []string {
		argv := []string{"/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", fmt.Sprint(at.port), "-h", filepath.Join(at.shared, "host")}
		for _, o := range append([]string{"PermitRootLogin yes", "StrictModes no", "MaxStartups 100", "LogLevel VERBOSE", "PidFile none"}, options...) {
			argv = append(argv, "-o", strings.ReplaceAll(o, "{dir}", at.dir))
		}
		return argv
	}}
}

func dropbear(name string, options ...string) *server {
	return &server{name: strings.TrimSpace("Dropbear " + name), prepare: sshFiles, mounts: sshMounts, command: func(at *site) []string {
		argv := []string{"dropbear", "-F", "-E", "-p", fmt.Sprint(at.port), "-P", filepath.Join(at.dir, "pid"), "-r", filepath.Join(at.shared, "host.dropbear"), "-r", filepath.Join(at.shared, "rsa.dropbear")}
		for _, o := range options {
			argv = append(argv, strings.ReplaceAll(o, "{dir}", at.dir))
		}
		return argv
	}}
}

// pythonSSH returns a server of a Python library.
func pythonSSH(library, name string, banner bool) *server {
	return &server{name: strings.TrimSpace(library + " " + name), prepare: sshFiles, command: func(at *site) []string {
		o := map[string]string{"host_key": filepath.Join(at.shared, "host"), "authorized": filepath.Join(at.shared, "user.pub"), "password": sshPassword}
		if banner {
			o["banner"] = sshBanner
		}
		text, _ := json.Marshal(o) // a map of strings
		return []string{at.python, filepath.Join(at.here, "testdata", "ssh_server.py"), library, fmt.Sprint(at.port), string(text)}
	}}
}

// sshTry describes the actions of a client.
type sshTry struct {
	words    []string // passwords, in this order
	keyboard bool     // by keyboard-interactive
	key      string   // name of the key file
	cipher   string
	mac      string
	compress bool
	then     string   // command, leave or channel
	options  []string // further client options
}

// sshClient is a function that returns the command line of a client.
type sshClient struct {
	name    string
	command func(at *site, host string, try sshTry) (argv, env []string)
}

// askpass writes an askpass program that returns one word after another.
func askpass(at *site, host string, words []string) (env []string) {
	file := filepath.Join(at.shared, "words-"+host)
	_ = os.WriteFile(file, []byte(strings.Join(append(words, ""), "\n")), 0o600) // the client fails without it
	return []string{"SSH_ASKPASS=" + filepath.Join(at.shared, "askpass"), "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:9", "SSH_WORDS=" + file, "SSH_AUTH_SOCK="}
}

var openSSHClient = sshClient{"OpenSSH", func(at *site, host string, try sshTry) (argv, env []string) {
	argv = []string{"setsid", "-w", "ssh", "-F", "none", "-p", fmt.Sprint(at.port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
		"-o", fmt.Sprint("NumberOfPasswordPrompts=", max(1, len(try.words)))}
	method := "password"
	switch {
	case try.key != "" && len(try.words) > 0:
		method = "publickey,password"
	case try.key != "":
		method = "publickey"
	case try.keyboard:
		method = "keyboard-interactive"
	}
	argv = append(argv, "-o", "PreferredAuthentications="+method)
	if try.key != "" {
		argv = append(argv, "-i", filepath.Join(at.shared, try.key), "-o", "IdentitiesOnly=yes")
	}
	if try.cipher != "" {
		argv = append(argv, "-c", try.cipher)
	}
	if try.mac != "" {
		argv = append(argv, "-m", try.mac)
	}
	if try.compress {
		argv = append(argv, "-C")
	}
	argv = append(append(argv, try.options...), sshUser+"@"+host, "true")
	return argv, askpass(at, host, try.words)
}}

// dropbearClient repeats the password until it is accepted or disconnected; its output shows the result.
var dropbearClient = sshClient{"dbclient", func(at *site, host string, try sshTry) (argv, env []string) {
	argv = []string{"setsid", "-w", "sh", "-c", `"$@" | grep -q inside`, "sh", "dbclient", "-y", "-y", "-p", fmt.Sprint(at.port)}
	if try.key != "" {
		argv = append(argv, "-i", filepath.Join(at.shared, try.key+".dropbear"))
	}
	if try.cipher != "" {
		argv = append(argv, "-c", try.cipher)
	}
	if try.mac != "" {
		argv = append(argv, "-m", try.mac)
	}
	env = []string{"HOME=" + at.dir, "SSH_AUTH_SOCK="}
	if len(try.words) > 0 {
		env = append(env, "DROPBEAR_PASSWORD="+try.words[0])
	}
	return append(append(argv, try.options...), sshUser+"@"+host, "echo inside"), env
}}

// plinkClient is the client of PuTTY, with one password.
var plinkClient = sshClient{"PuTTY plink", func(at *site, host string, try sshTry) (argv, env []string) {
	fingerprint, _ := exec.Command("ssh-keygen", "-l", "-f", filepath.Join(at.shared, "host.pub")).Output()
	_, rest, _ := strings.Cut(string(fingerprint), " ")
	print, _, _ := strings.Cut(rest, " ")
	argv = []string{"plink", "-ssh", "-batch", "-hostkey", print, "-P", fmt.Sprint(at.port), "-l", sshUser, "-pw", try.words[0]}
	return append(append(argv, try.options...), host, "true"), []string{"HOME=" + at.dir}
}}

// curlClient uses libssh2, with one password.
var curlClient = sshClient{"curl (libssh2)", func(at *site, host string, try sshTry) (argv, env []string) {
	argv = []string{"curl", "-sS", "-k", "-m", "30", "--pubkey", filepath.Join(at.shared, "user.pub")}
	switch {
	case try.key != "":
		argv = append(argv, "--key", filepath.Join(at.shared, try.key), "-u", sshUser+":")
	default:
		argv = append(argv, "-u", sshUser+":"+try.words[0])
	}
	if try.compress {
		argv = append(argv, "--compressed-ssh")
	}
	return append(append(argv, try.options...), fmt.Sprintf("scp://%s:%d/etc/hostname", host, at.port)), nil
}}

func pythonClient(library string) sshClient {
	return sshClient{library, func(at *site, host string, try sshTry) (argv, env []string) {
		o := map[string]any{"tries": try.words, "cipher": try.cipher, "mac": try.mac, "compress": try.compress, "method": "password", "then": "command"}
		switch {
		case try.key != "":
			o["method"], o["key"] = "key", filepath.Join(at.shared, try.key)
		case try.keyboard:
			o["method"] = "keyboard-interactive"
		}
		if try.then != "" {
			o["then"] = try.then
		}
		text, _ := json.Marshal(o) // of strings
		return []string{at.python, filepath.Join(at.here, "testdata", "ssh_client.py"), library, host, fmt.Sprint(at.port), string(text)}, nil
	}}
}

// sshCase is a try with its expected result.
type sshCase struct {
	name string
	try  sshTry
	in   bool
	want string
}

// The cases that most clients support.
var (
	sshRight = sshCase{"right password", sshTry{words: []string{sshPassword}}, true, "success"}
	sshWrong = sshCase{"wrong password", sshTry{words: []string{"123456"}}, false, "failure"}
	sshThree = sshCase{"three wrong passwords", sshTry{words: []string{"admin", "123456", "a much longer wrong password"}}, false, "failure"}
	sshThird = sshCase{"two wrong passwords, then the right one", sshTry{words: []string{"admin", "123456", sshPassword}}, true, "success"}
	sshKey   = sshCase{"key", sshTry{key: "user"}, true, "success"}
	sshNoKey = sshCase{"wrong key", sshTry{key: "stranger"}, false, "failure"}
)

// with returns a case with a changed try.
func (c sshCase) with(what string, change func(*sshTry)) sshCase {
	c.name += ", " + what
	change(&c.try)
	return c
}

// sshCiphers returns cases for the ciphers that differ in how much of a packet's length is visible.
func sshCiphers(cases ...sshCase) (all []sshCase) {
	for _, c := range cases {
		for _, k := range [][2]string{{"chacha20-poly1305@openssh.com", ""}, {"aes256-gcm@openssh.com", ""},
			{"aes128-ctr", "hmac-sha2-256"}, {"aes256-ctr", "hmac-sha2-512-etm@openssh.com"}, {"aes128-ctr", "hmac-sha1"}} {
			all = append(all, c.with(strings.TrimRight(k[0]+" "+k[1], " "), func(t *sshTry) { t.cipher, t.mac = k[0], k[1] }))
		}
	}
	return all
}

// libraryCiphers returns cases for ciphers that every server and library supports.
func libraryCiphers(cases ...sshCase) (all []sshCase) {
	for _, c := range cases {
		for _, k := range [][2]string{{"aes128-ctr", "hmac-sha2-256"}, {"aes256-ctr", "hmac-sha1"}} {
			all = append(all, c.with(k[0]+" "+k[1], func(t *sshTry) { t.cipher, t.mac = k[0], k[1] }))
		}
	}
	return all
}

func (c sshCase) keyboard() sshCase {
	return c.with("keyboard-interactive", func(t *sshTry) { t.keyboard = true })
}

func (c sshCase) compressed() sshCase {
	return c.with("compressed", func(t *sshTry) { t.compress = true })
}

func (c sshCase) then(what string) sshCase {
	return c.with("then "+what, func(t *sshTry) { t.then = what })
}

// sshRows returns the SSH rows of the table.
func sshRows() (rows []row) {
	add := func(s *server, client sshClient, cases ...sshCase) {
		for _, c := range cases {
			rows = append(rows, row{server: s, client: client.name, task: c.name, in: c.in, want: c.want,
				command: func(at *site, host string) (argv, env []string) { return client.command(at, host, c.try) }})
		}
	}
	var (
		plain     = openSSH("")
		banner    = openSSH("with a banner", "Banner {dir}/banner")
		pam       = openSSH("with PAM", "UsePAM yes", "KbdInteractiveAuthentication yes")
		few       = openSSH("with two tries", "MaxAuthTries 2")
		both      = openSSH("asking for key and password", "AuthenticationMethods publickey,password")
		onlyKey   = openSSH("for keys only", "PasswordAuthentication no", "KbdInteractiveAuthentication no")
		drop      = dropbear("")
		dropHello = dropbear("with a banner", "-b", "{dir}/banner")
		para      = pythonSSH("paramiko", "", false)
		paraHello = pythonSSH("paramiko", "with a banner", true)
		async     = pythonSSH("asyncssh", "", false)
		asyncHi   = pythonSSH("asyncssh", "with a banner", true)
		paraC     = pythonClient("paramiko")
		asyncC    = pythonClient("asyncssh")
	)
	for _, s := range []*server{plain, banner} {
		add(s, openSSHClient, sshCiphers(sshRight, sshWrong, sshThird)...)
	}
	for _, s := range []*server{drop, dropHello} {
		for _, c := range sshCiphers(sshRight, sshWrong, sshThird) {
			if !strings.Contains(c.name, "gcm") && !strings.Contains(c.name, "etm") { // Debian's Dropbear supports neither
				add(s, openSSHClient, c)
			}
		}
	}
	for _, s := range []*server{plain, banner, drop, dropHello} {
		add(s, dropbearClient, sshRight, sshWrong, sshKey, sshNoKey)
		add(s, plinkClient, sshRight, sshWrong)
	}
	for _, s := range []*server{plain, banner, drop, dropHello, para, paraHello, async, asyncHi} {
		add(s, openSSHClient, sshThree, sshKey, sshNoKey, sshRight.compressed(), sshWrong.compressed())
		add(s, paraC, libraryCiphers(sshRight, sshWrong)...)
		add(s, paraC, sshKey, sshNoKey, sshRight.then("leave"), sshWrong.then("channel"), sshThree.then("channel"))
		add(s, asyncC, sshRight, sshWrong, sshThree, sshThird, sshKey, sshNoKey, sshRight.then("leave"))
	}
	for _, s := range []*server{plain, banner, drop, dropHello, para, paraHello} { // asyncssh accepts the service request once, paramiko before each try
		add(s, paraC, libraryCiphers(sshThird)...)
	}
	add(async, plinkClient, sshRight, sshWrong)
	for _, s := range []*server{plain, banner, drop, pam} {
		add(s, curlClient, sshRight, sshWrong)
	}
	for _, s := range []*server{pam, para} {
		for _, c := range []sshClient{openSSHClient, paraC, asyncC} {
			add(s, c, sshRight.keyboard(), sshWrong.keyboard())
		}
	}
	add(pam, openSSHClient, sshThird.keyboard())
	add(few, openSSHClient, sshThree, sshWrong)
	add(both, openSSHClient,
		sshCase{"key and password", sshTry{key: "user", words: []string{sshPassword}}, true, "success"},
		sshCase{"key and wrong password", sshTry{key: "user", words: []string{"123456"}}, false, "failure"})
	add(onlyKey, openSSHClient, sshKey, sshNoKey)
	add(plain, openSSHClient, sshCase{"wrong key, then right password", sshTry{key: "stranger", words: []string{sshPassword}}, true, "success"})
	return rows
}
