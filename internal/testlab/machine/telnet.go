// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// The default account of the recorder, which is on the password lists of bots.
const (
	RecorderUser     = "root"
	RecorderPassword = "xc3511"
)

// Install is the command line that starts the bot on the recorder.
const Install = "cd /tmp; ./upd &"

// telnetd is the Telnet server of the recorder (RFC 854): options, name and password with echo, then a BusyBox shell.
func (m *machine) telnetd(run shell) error {
	return m.listen(":23", func(c net.Conn) {
		t := &telnetTalk{machine: m, conn: c, in: bufio.NewReader(c)}
		t.say("\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03\r\ndvrdvs\r\n") // DO ECHO, DO NAWS, WILL ECHO, WILL SGA
		for range 3 {
			if t.login() {
				t.shell(run)
				return
			}
		}
	})
}

// telnetTalk is one connection.
type telnetTalk struct {
	*machine
	conn net.Conn
	in   *bufio.Reader
	err  error // of the connection
}

func (t *telnetTalk) say(text string) {
	if t.err == nil {
		_, t.err = io.WriteString(t.conn, text)
	}
}

// line reads a line without option negotiation. The line is echoed unless it is a password.
func (t *telnetTalk) line(echo bool) string {
	var b strings.Builder
	for t.err == nil {
		var c byte
		if c, t.err = t.in.ReadByte(); c == 0xff && t.err == nil {
			_, t.err = t.in.Discard(2) // the reply to an option
			continue
		}
		if c == '\n' {
			break
		}
		b.WriteByte(c)
	}
	text := strings.TrimRight(b.String(), "\r")
	if echo {
		t.say(text + "\r\n")
	} else {
		t.say("\r\n")
	}
	return text
}

func (t *telnetTalk) login() bool {
	t.say("login: ")
	user := t.line(true)
	t.say("Password: ")
	password := t.line(false)
	if t.err != nil {
		return false
	}
	if user == RecorderUser && password == RecorderPassword {
		return true
	}
	pause(t.ctx, 300*time.Millisecond)
	t.say("Login incorrect\r\n")
	return false
}

func (t *telnetTalk) shell(run shell) {
	t.say("\r\n\r\nBusyBox v1.20.2 (2016-09-06 13:29:05 CST) built-in shell (ash)\r\nEnter 'help' for a list of built-in commands.\r\n\r\n# ")
	for t.err == nil {
		line := t.line(true)
		if t.err != nil || line == "exit" {
			return
		}
		run(line, writerFunc(t.say))
		t.say("# ")
	}
}

// writerFunc is an io.Writer that calls a function and never fails.
type writerFunc func(string)

func (f writerFunc) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

// busybox answers the commands that bots send first.
func (m *machine) busybox(line string, out io.Writer) int {
	switch {
	case line == Install:
		m.group.Go(m.bot)
	case line == "cat /proc/mounts":
		_, _ = fmt.Fprint(out, "rootfs / rootfs rw 0 0\r\n/dev/mtdblock2 / squashfs ro 0 0\r\n") // the session may be over
	default:
		name, _, _ := strings.Cut(line, " ")
		_, _ = fmt.Fprintf(out, "-sh: %s: not found\r\n", name)
		return 127
	}
	return 0
}
