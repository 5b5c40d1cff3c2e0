// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// TestProtocolsBehindConnect checks that known protocols behind a proxy are read, and that the session keeps its name with others.
func TestProtocolsBehindConnect(t *testing.T) {
	connect := []turn{client(request("CONNECT h:22 HTTP/1.1")), server("HTTP/1.1 200 OK\r\n\r\n")}
	for name, x := range map[string]struct {
		app   string
		turns []turn
	}{
		"SSH, server first": {"ssh", []turn{server("SSH-2.0-OpenSSH_9.2\r\n"), client("SSH-2.0-dropbear\r\n")}},
		"SSH, client first": {"ssh", []turn{client("SSH-2.0-dropbear\r\n"), server("SSH-2.0-OpenSSH_9.2\r\n")}},
		"FTP":               {"ftp", []turn{server("220 FTP ready\r\n"), client("USER a\r\n")}},
		"POP3":              {"pop3", []turn{server("+OK POP3 ready\r\n"), client("USER a\r\n")}},
		"another":           {"http", []turn{client("\x01\x02\x03 what"), server("ever")}},
		"nothing":           {"http", nil},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 1, Server: 3128}, append(append([]turn(nil), connect...), x.turns...))
		if got := dissecttest.AppOf(facts); got != x.app {
			t.Errorf("%s: %q", name, got)
		}
		if len(dissecttest.FactsOf[dissect.HTTPExchange](facts)) == 0 {
			t.Errorf("%s: no request\n%s", name, dissecttest.Dump(facts))
		}
	}
}
