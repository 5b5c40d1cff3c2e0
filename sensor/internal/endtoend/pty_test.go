// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"stillwatch/internal/testneed"
)

// eraseLine is what the progress line begins with.
const eraseLine = "\r\x1b[K"

// pseudoterminal opens a terminal with this number of columns: what is written to tty can be read from screen.
func pseudoterminal(t *testing.T, columns uint16) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		testneed.Missing(t, "pty", "no pseudoterminal: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	fd := int(screen.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		testneed.Missing(t, "pty", "no pseudoterminal: %v", err)
	}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return screen, tty
}

// onTerminal runs the program with its output on a terminal and returns what was written there, with "\n" at the ends of lines.
func onTerminal(t *testing.T, columns uint16, env []string, args ...string) ran {
	t.Helper()
	screen, tty := pseudoterminal(t, columns)
	var seen bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&seen, screen) // ends with EIO when the last writer has gone
	}()
	cmd := sensor(t, args...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = tty, tty
	r := finish(t, cmd)
	tty.Close()
	<-done
	r.out = string(bytes.ReplaceAll(seen.Bytes(), []byte("\r\n"), []byte("\n")))
	return r
}
