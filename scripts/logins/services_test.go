// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"crypto/md5"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// conf writes a file of a server; {dir} and {port} are filled in.
func conf(name, text string) func(at *site) error {
	return func(at *site) error {
		fill := strings.NewReplacer("{dir}", at.dir, "{port}", fmt.Sprint(at.port), "{user}", account, "{password}", password)
		return os.WriteFile(filepath.Join(at.dir, name), []byte(fill.Replace(text)), 0o644)
	}
}

// all returns a function that calls several functions in order.
func all(steps ...func(at *site) error) func(at *site) error {
	return func(at *site) error {
		for _, do := range steps {
			if err := do(at); err != nil {
				return err
			}
		}
		return nil
	}
}

// finish runs a program to its end, in the directory of the server.
func finish(stdin string, argv ...string) func(at *site) error {
	return func(at *site) error {
		c := exec.Command(argv[0], argv[1:]...)
		c.Dir, c.Stdin = at.dir, strings.NewReader(stdin)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, out)
		}
		return nil
	}
}

// argv returns a command line in which {dir} and {port} are filled in.
func argv(words ...string) func(at *site) []string {
	return func(at *site) (out []string) {
		for _, w := range words {
			out = append(out, strings.NewReplacer("{dir}", at.dir, "{port}", fmt.Sprint(at.port)).Replace(w))
		}
		return out
	}
}

// accounts writes the account for servers that read system files. The hash is that of password.
func accounts(uid int, hash string) func(at *site) error {
	return func(at *site) error {
		passwd, err := os.ReadFile("/etc/passwd")
		return errors.Join(err,
			os.WriteFile(filepath.Join(at.dir, "passwd"), fmt.Appendf(passwd, "%s:x:%d:%d::%s:/bin/sh\n", account, uid, uid, at.dir), 0o644),
			os.WriteFile(filepath.Join(at.dir, "shadow"), fmt.Appendf(nil, "%s:%s:19000:0:99999:7:::\n", account, hash), 0o600))
	}
}

const accountHash = "$6$stillwatch$mYORwYD0wRWbXZUiKN6.f4EPF9pwmWXMX3CieWPz1FneYEwphn9r3pEd7489a290WXwybJHsQ0GSaBZ7Du8l10"

func telnetd(name, login, hash string) *server {
	return &server{name: strings.TrimSpace("busybox telnetd " + name), mounts: sshMounts,
		prepare: all(accounts(0, hash), conf("issue", "{dir}\n"), conf("enter", "#!/bin/sh\nexec "+login+"\n"), func(at *site) error { return os.Chmod(filepath.Join(at.dir, "enter"), 0o755) }),
		command: argv("busybox", "telnetd", "-F", "-p", "{port}", "-l", "{dir}/enter")}
}

func telnetProtocol() protocol {
	var (
		login = telnetd("with login", "busybox login", accountHash)
		open  = telnetd("with login, no password set", "busybox login", "")
		shell = telnetd("with a shell", "busybox sh", accountHash)
	)
	try := func(s *server, client, how, task string, in bool, want string) row {
		return row{server: s, client: client, task: task, in: in, want: want, command: pythonTries("telnet", map[string]any{"how": how, "tries": rightPair})}
	}
	var rows []row
	for _, c := range [][2]string{{"line mode", "line"}, {"character mode", "keys"}, {"inetutils telnet", "pty"}} {
		rows = append(rows, onOne(login, c[0], "telnet", map[string]any{"how": c[1]})...)
		rows = append(rows, try(open, c[0], c[1], "no password asked", true, noLogin), try(shell, c[0], c[1], "nothing asked", true, noLogin))
	}
	p := clearText("telnet", []string{"busybox", "telnet"}, rows)
	p.check = func() error {
		applets, err := exec.Command("busybox", "--list").Output()
		if err == nil && !strings.Contains(string(applets), "telnetd\n") {
			err = errors.New("busybox has no telnetd (Debian's busybox-static has it)")
		}
		return err
	}
	return p
}

// twice changes the expectation for a client that retries a wrong password.
func twice(rows []row) []row {
	for i := range rows {
		switch rows[i].want {
		case "failure":
			rows[i].want = "2 failures"
		case thirdTry:
			rows[i].want = "success after 4 failures"
		}
	}
	return rows
}

func ftpProtocol() protocol {
	s := &server{name: "vsftpd", mounts: sshMounts, command: argv("vsftpd", "{dir}/conf"),
		prepare: all(accounts(1000, accountHash), func(at *site) error { return os.Mkdir(filepath.Join(at.dir, "empty"), 0o755) },
			conf("conf", "listen=YES\nbackground=NO\nlisten_port={port}\nlocal_enable=YES\nanonymous_enable=YES\nanon_root={dir}/empty\nsecure_chroot_dir={dir}/empty\n"+
				"pam_service_name=vsftpd\nseccomp_sandbox=NO\nmax_login_fails=5\ndelay_failed_login=0\nxferlog_enable=NO\n"))}
	return clearText("ftp", []string{"vsftpd", "lftp"},
		onOne(s, "Python ftplib", "ftp", nil),
		onEach(s, "curl", "", "curl", "-sS", "-u", "{user}:{password}", "ftp://{host}:{port}/"),
		twice(onEach(s, "lftp", "", "lftp", "-c", "set net:max-retries 1; set ftp:ssl-allow no; open -u {user},{password} ftp://{host}:{port}/; ls")),
		[]row{one(s, "curl", "anonymous", true, "success", "curl", "-sS", "ftp://{host}:{port}/")})
}

func httpProtocol() protocol {
	const page = "mkdir -p root/secret root/open && echo hello >root/secret/index.html && echo hello >root/open/index.html"
	nginx := &server{name: "nginx", command: argv("nginx", "-p", "{dir}", "-c", "{dir}/conf", "-e", "stderr"),
		prepare: all(finish("", "sh", "-c", page), conf("users", "{user}:{PLAIN}{password}\n"),
			conf("conf", "daemon off; user root; worker_processes 1; pid {dir}/pid; events {} http { access_log off; client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};\n"+
				"server { listen {port}; root {dir}/root; location /secret/ { auth_basic cam; auth_basic_user_file {dir}/users; } } }\n"))}
	lighttpd := func(method string) *server {
		sum := md5.Sum(fmt.Appendf(nil, "%s:cam:%s", account, password))
		return &server{name: "lighttpd", command: argv("lighttpd", "-D", "-f", "{dir}/conf"),
			prepare: all(finish("", "sh", "-c", page), conf("users", fmt.Sprintf("%s:cam:%x\n", account, sum)),
				conf("conf", "server.modules = (\"mod_auth\", \"mod_authn_file\", \"mod_indexfile\")\nserver.port = {port}\nserver.document-root = \"{dir}/root\"\nindex-file.names = (\"index.html\")\n"+
					"auth.backend = \"htdigest\"\nauth.backend.htdigest.userfile = \"{dir}/users\"\nauth.require = (\"/secret/\" => (\"method\" => \""+method+"\", \"realm\" => \"cam\", \"require\" => \"valid-user\"))\n"))}
	}
	lightBasic, lightDigest := lighttpd("basic"), lighttpd("digest")
	get := func(path string, options ...string) []string {
		return append(append([]string{"curl", "-sS", "-f", "-o", "/dev/null"}, options...), "http://{host}:{port}"+path)
	}
	var rows []row
	for _, s := range []*server{nginx, lightBasic} {
		rows = append(rows, onOne(s, "Python http.client", "http", map[string]any{"scheme": "Basic"})...)
		rows = append(rows, onEach(s, "curl", "Basic", get("/secret/", "-u", "{user}:{password}")...)...)
		rows = append(rows, onEach(s, "curl", "any scheme", get("/secret/", "--anyauth", "-u", "{user}:{password}")...)...)
	}
	rows = append(rows, onOne(lightDigest, "Python http.client", "http", map[string]any{"scheme": "Digest"})...)
	rows = append(rows, onEach(lightDigest, "curl", "Digest", get("/secret/", "--digest", "-u", "{user}:{password}")...)...)
	rows = append(rows, onEach(lightDigest, "curl", "any scheme", get("/secret/", "--anyauth", "-u", "{user}:{password}")...)...)
	for _, s := range []*server{nginx, lightBasic, lightDigest} {
		rows = append(rows, one(s, "curl", "nothing asked", true, noLogin, get("/open/")...), one(s, "curl", "no password sent", false, noLogin, get("/secret/")...))
	}
	rows = append(rows, one(lightDigest, "curl", "Basic where Digest is asked for", false, noLogin, get("/secret/", "--basic", "-u", "{user}:{password}")...))
	return clearText("http", []string{"nginx", "lighttpd", "curl"}, rows)
}

func mqttProtocol() protocol {
	broker := func(name, options string) *server {
		return &server{name: strings.TrimSpace("mosquitto " + name), command: argv("mosquitto", "-c", "{dir}/conf"),
			prepare: all(finish("", "mosquitto_passwd", "-b", "-c", "users", account, password), conf("conf", "user root\npersistence false\nlistener {port}\n"+options))}
	}
	closed, open := broker("", "allow_anonymous false\npassword_file {dir}/users\n"), broker("for anybody", "allow_anonymous true\n")
	pub := []string{"mosquitto_pub", "-h", "{host}", "-p", "{port}", "-t", "a", "-m", "b"}
	with := func(more ...string) []string { return append(pub[:len(pub):len(pub)], more...) }
	var rows []row
	for _, v := range []string{"mqttv31", "mqttv311", "mqttv5"} {
		rows = append(rows, onEach(closed, "mosquitto_pub", v, with("-V", v, "-u", "{user}", "-P", "{password}")...)...)
		rows = append(rows, one(closed, "mosquitto_pub", "no password sent, "+v, false, noLogin, with("-V", v)...), one(open, "mosquitto_pub", "nothing asked, "+v, true, noLogin, with("-V", v)...))
	}
	return clearText("mqtt", []string{"mosquitto", "mosquitto_pub", "mosquitto_passwd"}, rows)
}
