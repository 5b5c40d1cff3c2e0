// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/remote"
)

func FuzzTelnet(f *testing.F) {
	dissecttest.FuzzStream(f, remote.NewTelnet, telnetLoginCases["telnet: refused, asked again, then a prompt"].Turns)
}

const (
	willEcho  = "\xff\xfb\x01\xff\xfb\x03"
	wontEcho  = "\xff\xfc\x01"
	doOptions = "\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27"
)

// keys is a line of the client in character mode, which the server echoes.
func keys(s string) (turns []turn) {
	for _, c := range s {
		turns = append(turns, client(string(c)), server(string(c)))
	}
	return append(turns, client("\r\x00"), server("\r\n"))
}

// blind is a line of the client that the server does not echo.
func blind(s string) (turns []turn) {
	for _, c := range s {
		turns = append(turns, client(string(c)))
	}
	return append(turns, client("\r\n"), server("\r\n"))
}

func dialogue(parts ...any) (turns []turn) {
	for _, p := range parts {
		switch p := p.(type) {
		case turn:
			turns = append(turns, p)
		case []turn:
			turns = append(turns, p...)
		}
	}
	return turns
}

// TestTelnetLoginResults checks the results of the logins of one session, in order.
func TestTelnetLoginResults(t *testing.T) {
	for name, tc := range map[string]struct {
		turns []turn
		want  string // first letters of the results
	}{
		"a # in the password prompt": {dialogue(server(doOptions), server("\r\nlogin: "), client("root\r\n"), server("Password (use # to cancel): "), client("hunter\r\n"), server("\r\n\r\nBusyBox v1.19.4\r\n~ # "), client("ls\r\n")), "s"},
		"a # in it, refused":         {dialogue(server(doOptions), server("\r\nlogin: "), client("root\r\n"), server("Password (use # to cancel): "), client("a\r\n"), server("\r\nNo.\r\nlogin: "), client("root\r\n"), server("Password (use # to cancel): "), client("b\r\n"), server("\r\n# ")), "fs"},
		"a # in it, nobody named":    {dialogue(server(doOptions), server("Password # (4 left): "), client("a\r\n"), server("Password # (3 left): "), client("b\r\n"), server("Password # (2 left): ")), "ff"},
		"a banner of # and >":        {dialogue(server(doOptions), server("####\r\n# > Keep out! $ 100 %\r\n####\r\nlogin: "), client("root\r\n"), server("Password: "), client("a\r\n"), server("\r\nLogin incorrect\r\nlogin: ")), "f"},
		"character mode":             {dialogue(server(willEcho+"cam login: "), keys("root"), server("Password: "), blind("xc3511"), server("\r\n# "), keys("id")), "s"},
		"character mode, refused":    {dialogue(server(willEcho+"cam login: "), keys("root"), server("Password: "), blind("a"), server("Login incorrect\r\ncam login: "), keys("root"), server("Password: "), blind("b"), server("$ ")), "fs"},
		"asterisks, other language":  {dialogue(server(willEcho+"Nimi: "), keys("root"), server("Tunnus: "), client("a"), server("*"), client("b"), server("*"), client("\r"), server("\r\n/ # "), keys("id")), "s"},
		"other language, by echo":    {dialogue(server(willEcho+"Nimi: "), keys("root"), server("Tunnus: "), blind("ab"), server("Ei.\r\nNimi: "), keys("root"), server("Tunnus: "), blind("cd"), server("Ei.\r\nNimi: ")), "ff"},
		"German":                     {dialogue(server(doOptions), server("Benutzername: "), client("root\r\n"), server("Kennwort: "), client("a\r\n"), server("\r\nFalsch.\r\nBenutzername: "), client("root\r\n"), server("Kennwort: "), client("b\r\n"), server("\r\nWillkommen\r\n[root@box ~]$ ")), "fs"},
		"Chinese, no word before":    {dialogue(server("\xff\xfd\x18用户名："), client("admin\r\n"), server("密码："), client("a\r\n"), server("\r\n<H3C>"), client("dis\r\n")), "s"},
		"no words, no echo":          {dialogue(server(doOptions), server("A: "), client("admin\r\n"), server("B: "), client("a\r\n"), server("\r\nA: "), client("admin\r\n"), server("B: "), client("b\r\n"), server("\r\nbox> ")), "fs"},
		"password only, Cisco":       {dialogue(server(willEcho+"\r\n\r\nUser Access Verification\r\n\r\nPassword: "), blind("a"), server("Password: "), blind("b"), server("Password: "), blind("c"), server("% Bad passwords\r\n")), "fff"},
		"password only, in":          {dialogue(server(willEcho+"\r\nUser Access Verification\r\n\r\nPassword: "), blind("cisco"), server("Router>"), keys("enable"), server("Password: "), blind("x"), server("% Access denied\r\nRouter>"), keys("exit")), "s"},
		"Cisco, names":               {dialogue(server(willEcho+"Username: "), keys("a"), server("Password: "), blind("b"), server("% Login invalid\r\n\r\nUsername: "), keys("a"), server("Password: "), blind("c"), server("sw1#")), "fs"},
		"MikroTik, no password":      {dialogue(server(doOptions), server("\r\nMikroTik v6.49.6 (stable)\r\nLogin: "), client("admin\r\n"), server("Password: "), client("\r\n"), server("\r\n\x1b[9999B\r\n[\x1b[m\x1b[32madmin\x1b[m\x1b[36m@MikroTik\x1b[m] > ")), "s"},
		"Windows":                    {dialogue(server(willEcho+"Welcome to Microsoft Telnet Service\r\n\r\nlogin: "), keys("joe"), server("password: "), blind("x"), server("*====\r\nMicrosoft Telnet Server.\r\n*====\r\nC:\\Users\\joe>")), "s"},
		"last failed login":          {dialogue(server(willEcho+"host login: "), keys("joe"), server("Password: "), blind("x"), server("Last failed login: Mon from 10.0.0.1\r\nThere were 3 failed login attempts since the last login.\r\nLast login: Sun\r\n[joe@host ~]$ ")), "s"},
		"a message with a colon":     {dialogue(server(willEcho+"login: "), keys("joe"), server("Password: "), blind("x"), server("Default password: changeme, is still set\r\n# ")), "s"},
		"the password has run out":   {dialogue(server(willEcho+"login: "), keys("joe"), server("Password: "), blind("x"), server("You must change it.\r\nNew password: "), blind("y"), server("Retype new password: "), blind("y"), server("$ ")), "s"},
		"a code after the password":  {dialogue(server(willEcho+"login: "), keys("joe"), server("Password: "), blind("x"), server("Code: "), blind("123456"), server("\r\nlogin: ")), "f"},
		"a menu":                     {dialogue(server(willEcho+"Username: "), keys("a"), server("Password: "), blind("b"), server("1 Status\r\n2 Reboot\r\nSelect: "), keys("1"), server("Up.\r\nSelect: "), keys("2")), "s"},
		"a menu for users":           {dialogue(server(willEcho+"Username: "), keys("a"), server("Password: "), blind("b"), server("User menu: "), keys("1"), server("User menu: ")), "s"},
		"no more to see":             {dialogue(server(willEcho+"login: "), keys("a"), server("Password: "), blind("b"), server("One moment\r\n")), "u"},
		"closed with a word":         {dialogue(server(willEcho+"login: "), keys("a"), server("Password: "), blind("b"), server("Access denied")), "f"},
		"a shell for everybody":      {dialogue(server(willEcho+"BusyBox\r\n# "), keys("ls"), server("a: b\r\n# "), keys("passwd"), server("Password: "), blind("x"), server("# ")), ""},
		"a login that looks a shell": {dialogue(server(willEcho+"> "), keys("a"), server("> "), keys("b"), server("> ")), ""},
		"logged out and in again":    {dialogue(server(willEcho+"login: "), keys("a"), server("Password: "), blind("b"), server("$ "), keys("exit"), server("login: "), keys("a"), server("Password: "), blind("c"), server("\r\nlogin: ")), "sf"},
		"typed ahead":                {dialogue(server(doOptions), server("login: "), client("root\r\nxc3511\r\n"), server("Password: \r\nLogin incorrect\r\nlogin: "), client("root\r\nvizxv\r\n"), server("Password: \r\n# "), client("sh\r\n")), "fs"},
		"typed before the prompt":    {dialogue(server(doOptions), client("root\r\nxc3511\r\nenable\r\n"), server("login: Password: \r\nLogin incorrect\r\nlogin: ")), "f"},
		"fast guesses, one line each": {dialogue(server(willEcho+"login: "), client("root\r\n"), server("root\r\nPassword: "), client("a\r\n"), server("\r\nLogin incorrect\r\nlogin: "), client("admin\r\n"), server("admin\r\nPassword: "), client("admin\r\n"), server("\r\nLogin incorrect\r\nlogin: "), client("user\r\n"),
			server("user\r\nPassword: "), client("user\r\n"), server("\r\n$ "), client("enable\r\nsystem\r\nshell\r\n")), "ffs"},
		"echo taken back after the password": {dialogue(server(doOptions), server("login: "), client("root\r\n"), server(willEcho+"Password: "), client("abc\r\n"), server(wontEcho+"\r\nWelcome\r\n~ $ ")), "s"},
		"tries are counted":                  {dialogue(server(willEcho+"Secret (1/3): "), blind("a"), server("Secret (2/3): "), blind("b"), server("Secret (3/3): "), blind("c"), server("Bye\r\n")), "ffu"},
		"nothing typed":                      {dialogue(server(willEcho + "login: ")), ""},
		"a name alone":                       {dialogue(server(willEcho+"login: "), keys("a"), server("Password: ")), ""},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 23}, tc.turns)
		got := ""
		for _, l := range dissecttest.FactsOf[dissect.Login](facts) {
			got += l.Result.String()[:1]
		}
		if dissecttest.AppOf(facts) != "telnet" || got != tc.want {
			t.Errorf("%s: %q, want %q\n%s", name, got, tc.want, dissecttest.Dump(facts))
		}
	}
}

func TestTelnetKeepsNoPassword(t *testing.T) {
	const secret = "Tr0ub4dor"
	for name, turns := range map[string][]turn{
		"asked twice": dialogue(server(willEcho+"X: "), blind(secret), server("X: "), blind(secret), server("> ")),
		"typed ahead": dialogue(server(doOptions+"login: "), client("a\r\n"+secret+"\r\n"+secret+"\r\n"), server("Password: \r\n# ")),
		"echoed":      dialogue(server(willEcho+"login: "), keys("a"), server("Password: "), keys(secret), server("# ")),
	} {
		if text := dissecttest.Dump(dispatchtest.Play(t, dissect.Ports{Client: 40000, Server: 23}, turns, 0)); strings.Contains(text, secret[1:]) {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

var telnetLoginCases = map[string]dispatchtest.LoginCase{
	"telnet: refused, asked again, then a prompt": {
		Ports: dissect.Ports{Client: 4000, Server: 23},
		Turns: []turn{
			server("\xff\xfd\x01\xff\xfb\x03"), client("\xff\xfc\x01\xff\xfa\x18\x00xterm\xff\xf0"), server("BusyBox v1.1\r\n\r\ncam login: "), client("root\r\n"), server("root\r\nPassword: "), client("abc\r\n"),
			server("\r\nLogin incorrect\r\ncam login: "), client("r\xff\xf1oot\r\x00"), server("Password: "), client("xc3511\r\x00"), server("\r\nLast login: yesterday\r\n# "), client("ls\r\n"),
		}, App: "telnet", Banner: "BusyBox v1.1", Want: []dissect.Login{dissecttest.CleartextLogin("telnet", "ot", dissect.OutcomeFailure, false), dissecttest.CleartextLogin("telnet", "ot", dissect.OutcomeSuccess, true)},
	},
	"telnet: the client goes on, whatever the server thinks of it": {
		Ports: dissect.Ports{Client: 4000, Server: 2323},
		Turns: []turn{server("Username: "), client("admin\n"), server("Password:"), client("zz\n"), server("Welcome\r\n"), client("enable\n")},
		App:   "telnet", Banner: "", Want: []dissect.Login{dissecttest.CleartextLogin("telnet", "in", dissect.OutcomeUnknown, false)},
	},
	"telnet: nobody knows": {
		Ports: dissect.Ports{Client: 4000, Server: 23},
		Turns: []turn{server("login: "), client("admin\n"), server("Password:"), client("\n"), server("\r\n")},
		App:   "telnet", Banner: "", Want: []dissect.Login{dissecttest.CleartextLogin("telnet", "in", dissect.OutcomeUnknown, true)},
	},
}

func TestTelnetLogins(t *testing.T) { dispatchtest.CheckLogins(t, telnetLoginCases) }
