// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"stillwatch/schemas"
)

// clearConfig makes the rules report every login: one failure is enough for D09, and the client is external (see replayer.row), so each success raises D08.
const clearConfig = "version: 1\ndetections: {D09: {params: {failures: 1}}}\n"

// saysClear returns the result from the alerts: a success raises D08, and the evidence of D09 has the number of failures.
func saysClear(_ []schemas.Session, alerts []schemas.Alert) string {
	failures, in := 0, false
	for _, a := range alerts {
		in = in || a.Rule.ID == "D08"
		for _, e := range a.Evidence {
			if n, ok := e.Data["failures"].(float64); ok && e.Kind == "failures" {
				failures = max(failures, int(n))
			}
		}
	}
	switch {
	case in && failures > 0:
		return fmt.Sprintf("success after %d failures", failures)
	case in:
		return "success"
	case failures == 1:
		return "failure"
	case failures > 1:
		return fmt.Sprintf("%d failures", failures)
	}
	return ""
}

// The results of two wrong passwords before the right one, and of a session without a login.
const (
	thirdTry = "success after 2 failures"
	noLogin  = ""
)

// account is the only account of each server; guess is a wrong password.
const (
	account  = sshUser
	password = "correct-horse"
	guess    = "123456"
)

type pair [2]string

var (
	rightPair  = []pair{{account, password}}
	wrongPair  = []pair{{account, guess}}
	thirdPair  = []pair{{account, guess}, {account, "12345"}, {account, password}}
	threePairs = []struct {
		name  string
		pairs []pair
		in    bool
		want  string
	}{
		{"right password", rightPair, true, "success"},
		{"wrong password", wrongPair, false, "failure"},
		{"two wrong passwords, then the right one", thirdPair, true, thirdTry},
	}
)

// pythonTries returns a client that tries several passwords on one connection.
func pythonTries(what string, options map[string]any) func(at *site, host string) (argv, env []string) {
	return func(at *site, host string) (argv, env []string) {
		text, _ := json.Marshal(options) // of strings
		return []string{at.python, filepath.Join(at.here, "testdata", "clear_client.py"), what, host, fmt.Sprint(at.port), string(text)}, nil
	}
}

// onOne returns the three rows of a client that uses one connection.
func onOne(s *server, client, what string, options map[string]any) (rows []row) {
	for _, c := range threePairs {
		o := map[string]any{"tries": c.pairs}
		for k, v := range options {
			o[k] = v
		}
		task := c.name
		if len(c.pairs) > 1 {
			task += ", on one connection"
		}
		rows = append(rows, row{server: s, client: client, task: task, in: c.in, want: c.want, command: pythonTries(what, o)})
	}
	return rows
}

// onEach returns the three rows of a program that opens one connection for each try. In its arguments {host}, {port}, {user}, {password} and {dir} are
// filled in.
func onEach(s *server, client, note string, argv ...string) (rows []row) {
	for _, c := range threePairs {
		task := c.name
		if note != "" {
			task += ", " + note
		}
		rows = append(rows, row{server: s, client: client, task: task, in: c.in, want: c.want, command: tries(c.pairs, argv...)})
	}
	return rows
}

// tries runs a program once for each pair; its last exit status counts.
func tries(pairs []pair, argv ...string) func(at *site, host string) (args, env []string) {
	return func(at *site, host string) (args, env []string) {
		var script []string
		for _, p := range pairs {
			fill := strings.NewReplacer("{host}", host, "{port}", fmt.Sprint(at.port), "{user}", p[0], "{password}", p[1], "{dir}", at.dir)
			var words []string
			for _, a := range argv {
				words = append(words, "'"+fill.Replace(a)+"'")
			}
			script = append(script, strings.Join(words, " "))
		}
		return []string{"sh", "-c", strings.Join(script, "\n")}, nil
	}
}

// one returns a row for one run of a program.
func one(s *server, client, task string, in bool, want string, argv ...string) row {
	return row{server: s, client: client, task: task, in: in, want: want, command: tries(rightPair, argv...)}
}

// clearText returns a cleartext protocol, whose results come from alerts.
func clearText(name string, needs []string, rows ...[]row) protocol {
	return protocol{name: name, evidence: "explicit", config: clearConfig, needs: needs, says: saysClear, rows: slices.Concat(rows...)}
}
