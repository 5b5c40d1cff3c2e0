// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "shell",
	Signs: "banner or prompt of a shell, or the answer to id",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 360, Looks: LooksShell},
	},
})

// maxShellHead is how many bytes are searched for the end of the first line.
const maxShellHead = 160

// shellBanners are the first words of shells without a terminal: of cmd.exe and PowerShell, ash (BusyBox), bash and dash.
var shellBanners = [...]string{
	"Microsoft Windows [Version ", "Windows PowerShell\r\n", "BusyBox v", "bash: no job control in this shell", "bash: cannot set terminal process group",
	"sh: no job control in this shell", "/bin/sh: can't access tty; job control turned off", "sh: can't access tty; job control turned off", "sh: turning off NDELAY mode",
}

// LooksShell recognizes what a shell says of its own accord, or its answer to id(1), which is the first command of many intruders. Both sides
// of a session are asked: if it is the client, the session is a reverse shell.
func LooksShell(head []byte, final bool, _ dissect.Ports) match.Verdict {
	lead := bytes.TrimLeft(head, "\r\n")
	if len(lead) == 0 {
		if final || len(head) > 4 {
			return match.No
		}
		return match.Maybe
	}
	maybe := false
	for _, text := range shellBanners {
		switch match.Prefix(lead, text) {
		case match.Yes:
			return match.Yes
		case match.Maybe:
			maybe = true
		}
	}
	switch v := shellAnswer(lead); {
	case v == match.Yes:
		return v
	case (v == match.Maybe || maybe) && !final && len(head) < maxShellHead:
		return match.Maybe
	}
	return match.No
}

// shellAnswer recognizes a prompt with the name of a user and a host, such as "root@cam:/# ", and the answer to id(1): "uid=0(root) gid=0(root)".
func shellAnswer(lead []byte) match.Verdict {
	line := lead[:min(len(lead), maxShellHead)]
	end := bytes.IndexFunc(line, func(r rune) bool { return r < 0x20 || r > 0x7e }) // what follows must not matter: it may come later
	if end >= 0 {
		line = line[:end]
	}
	v := shellPrompt(line)
	if bytes.HasPrefix(line, []byte("uid=")) {
		v = match.Maybe
		if bytes.Contains(line, []byte(" gid=")) {
			v = match.Yes
		}
	} else if match.Prefix(line, "uid=") == match.Maybe {
		v = match.Maybe
	}
	if v == match.Maybe && end >= 0 {
		return match.No
	}
	return v
}

// shellPrompt recognizes "user@host:directory# " or with a dollar sign.
func shellPrompt(line []byte) match.Verdict {
	for i, after := range []byte("@:") {
		n := accountLen(line)
		switch {
		case n > 32 || n == 0 && (len(line) > 0 || i == 0):
			return match.No
		case n == len(line):
			return match.Maybe
		case line[n] != after:
			return match.No
		}
		line = line[n+1:]
	}
	switch {
	case len(line) == 0:
		return match.Maybe
	case line[0] != '/' && line[0] != '~':
		return match.No
	case bytes.Contains(line, []byte("# ")) || bytes.Contains(line, []byte("$ ")):
		return match.Yes
	}
	return match.Maybe
}

// accountLen returns how many bytes may be the name of a user or of a host.
func accountLen(name []byte) int {
	for i, c := range name {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.') {
			return i
		}
	}
	return len(name)
}
