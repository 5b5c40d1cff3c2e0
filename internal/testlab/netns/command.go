// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Command is a program in a namespace.
type Command struct{ *exec.Cmd }

// Command returns a command in the namespace of a machine. The program does not receive signals of the terminal, gets SIGTERM when
// ctx ends, and ends with this process.
func (n *Network) Command(ctx context.Context, machine, program string, args ...string) Command {
	c := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", n.Namespace(machine), program}, args...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 15 * time.Second
	return Command{c}
}

// run runs the command and includes its output in the error.
func (c Command) run() error {
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// batch passes several commands, one a line, to one call of `ip`, which is faster than a call for each. No shell is involved.
func batch(ctx context.Context, lines string, flags ...string) error {
	c := exec.CommandContext(ctx, "ip", append(flags, "-batch", "-")...)
	c.Stdin = strings.NewReader(lines)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(flags, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// try runs programs until one succeeds, and returns all errors if none does.
func try(commands ...Command) error {
	var errs error
	for _, c := range commands {
		err := c.run()
		if err == nil {
			return nil
		}
		errs = errors.Join(errs, err)
	}
	return errs
}
