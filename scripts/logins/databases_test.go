// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"fmt"
	"os"
	"path/filepath"
)

func redisProtocol() protocol {
	locked := &server{name: "Redis", command: argv("redis-server", "--port", "{port}", "--save", "", "--bind", "0.0.0.0", "--dir", "{dir}", "--requirepass", password,
		"--user", account, "on", ">"+password, "~*", "+@all")}
	open := &server{name: "Redis without a password", command: argv("redis-server", "--port", "{port}", "--save", "", "--bind", "0.0.0.0", "--dir", "{dir}", "--protected-mode", "no")}
	cli := func(s *server, note string, options ...string) []row {
		return onEach(s, "redis-cli", note, append(append([]string{"redis-cli", "-e", "--no-auth-warning", "-h", "{host}", "-p", "{port}"}, options...), "PING")...)
	}
	type c = []string
	raw := func(s *server, task string, in bool, want string, options map[string]any, commands ...c) row {
		o := map[string]any{"commands": commands}
		for k, v := range options {
			o[k] = v
		}
		return row{server: s, client: "Python socket", task: task, in: in, want: want, command: pythonTries("redis", o)}
	}
	piped, inline := map[string]any{"pipeline": true}, map[string]any{"inline": true} // the first command is not inline
	wrong, right, ping := c{"AUTH", guess}, c{"AUTH", password}, c{"PING"}
	return clearText("redis", []string{"redis-server", "redis-cli"},
		cli(locked, "AUTH password", "-a", "{password}"),
		cli(locked, "AUTH user password", "--user", "{user}", "-a", "{password}"),
		cli(locked, "RESP3", "-3", "--user", "{user}", "-a", "{password}"),
		[]row{
			raw(locked, "two wrong passwords, then the right one, on one connection", true, thirdTry, nil, wrong, c{"AUTH", account, guess}, right, ping),
			raw(locked, "the same behind other commands", true, thirdTry, nil, ping, c{"CLIENT", "SETNAME", "x"}, wrong, ping, wrong, ping, right, ping),
			raw(locked, "the same in one segment", true, thirdTry, piped, wrong, wrong, right, ping),
			raw(locked, "HELLO AUTH, right password", true, "success", nil, c{"HELLO", "3", "AUTH", account, password}, ping),
			raw(locked, "HELLO AUTH, wrong password", false, "failure", nil, c{"HELLO", "3", "AUTH", account, guess}, ping),
			raw(locked, "HELLO AUTH, two wrong passwords, then the right one", true, thirdTry, nil, c{"HELLO", "2", "AUTH", account, guess}, c{"HELLO", "3", "SETNAME", "x", "AUTH", account, guess}, c{"HELLO", "3", "AUTH", account, password}, ping),
			raw(locked, "inline commands, two wrong passwords, then the right one", true, thirdTry, inline, ping, wrong, wrong, right, ping),
			raw(locked, "no password sent", false, noLogin, nil, ping, ping),
			raw(open, "no password asked", true, noLogin, nil, ping, c{"SET", "a", "b"}, c{"GET", "a"}, ping),
			raw(open, "a password where none is set", true, noLogin, nil, right, ping),
		})
}

func postgresProtocol() protocol {
	const hba = "host all md5 all md5\nhost all scram all scram-sha-256\nhost all clear all password\nhost all free all trust\nhost all never all reject\nlocal all all trust\n"
	const roles = "SET password_encryption = 'md5';\nCREATE ROLE md5 LOGIN PASSWORD '" + password + "';\nSET password_encryption = 'scram-sha-256';\nCREATE ROLE scram LOGIN PASSWORD '" + password +
		"';\nCREATE ROLE clear LOGIN PASSWORD '" + password + "';\nCREATE ROLE free LOGIN;\n"
	as := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	s := &server{name: "PostgreSQL", command: argv(append(as, "{dir}/bin/postgres", "-D", "{dir}/data", "-p", "{port}", "-h", "0.0.0.0", "-k", "")...),
		prepare: func(at *site) error {
			bin, err := postgresFolder()
			if err != nil {
				return err
			}
			data := filepath.Join(at.dir, "data")
			return all(
				func(at *site) error { return os.Symlink(bin, filepath.Join(at.dir, "bin")) },
				func(at *site) error { return os.Chown(at.dir, 65534, 65534) },
				finish("", append(as, filepath.Join(bin, "initdb"), "-D", data, "-U", "root", "--no-sync", "-A", "trust")...),
				conf("data/pg_hba.conf", hba),
				finish(roles, append(as, filepath.Join(bin, "postgres"), "--single", "-D", data, "postgres")...),
			)(at)
		}}
	query := func(user, db, mode, word string) []string {
		return []string{"env", "PGPASSWORD=" + word, "psql", "-w", "-c", "select 1", fmt.Sprintf("host={host} port={port} user=%s dbname=%s sslmode=%s", user, db, mode)}
	}
	var rows []row
	for _, user := range []string{"md5", "scram", "clear"} {
		rows = append(rows, onEach(s, "psql", user, query(user, "postgres", "prefer", "{password}")...)...)
	}
	rows = append(rows, onEach(s, "psql", "scram, never TLS", query("scram", "postgres", "disable", "{password}")...)...)
	p := clearText("postgresql", []string{"psql", "setpriv"}, rows, []row{
		one(s, "psql", "no password asked (trust)", true, "success", query("free", "postgres", "prefer", "x")...),
		one(s, "psql", "right password, no such database", false, "success", query("scram", "nowhere", "prefer", "{password}")...),
		one(s, "psql", "no such user", false, noLogin, query("nobody", "postgres", "prefer", "x")...),
		one(s, "psql", "refused by rule", false, noLogin, query("never", "postgres", "prefer", "x")...),
	})
	p.check = func() error {
		_, err := postgresFolder()
		return err
	}
	return p
}

// postgresFolder returns the directory of the newest installed version; it is not in Debian's PATH.
func postgresFolder() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("the server of PostgreSQL is not installed: %w", os.ErrNotExist)
	}
	return filepath.Dir(found[len(found)-1]), nil
}

func mysqlProtocol() protocol {
	const users = "CREATE USER '" + account + "'@'%' IDENTIFIED BY '" + password + "';\nCREATE USER 'free'@'%';\nCREATE DATABASE cam;\nGRANT ALL ON cam.* TO '" + account + "'@'%';\nGRANT ALL ON cam.* TO 'free'@'%';\n"
	s := &server{name: "MariaDB", command: argv("mariadbd", "--no-defaults", "--user=root", "--datadir={dir}/data", "--port={port}", "--bind-address=0.0.0.0", "--socket={dir}/socket",
		"--init-file={dir}/users", "--skip-name-resolve", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M"),
		prepare: all(conf("users", users), func(at *site) error {
			return finish("", "mariadb-install-db", "--no-defaults", "--user=root", "--datadir="+filepath.Join(at.dir, "data"), "--skip-test-db", "--auth-root-authentication-method=normal",
				"--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M")(at)
		})}
	query := func(user, word, db string) []string {
		return []string{"mariadb", "--no-defaults", "--protocol=tcp", "-h", "{host}", "-P", "{port}", "-u", user, "--password=" + word, "-e", "select 1", db}
	}
	return clearText("mysql", []string{"mariadb", "mariadbd", "mariadb-install-db"}, onEach(s, "mariadb", "", query("{user}", "{password}", "cam")...), []row{
		one(s, "mariadb", "no password set", true, "success", query("free", "", "cam")...),
		one(s, "mariadb", "right password, no such database", false, "success", query("{user}", "{password}", "nowhere")...),
		one(s, "mariadb", "no such user", false, "failure", query("nobody", "x", "cam")...),
	})
}
