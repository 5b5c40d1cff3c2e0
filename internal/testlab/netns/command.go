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

// Command is a program within a namespace.
type Command struct{ *exec.Cmd }

// Command prepares a program in the namespace of a machine. It does not get the signals of the terminal, ends by SIGTERM when
// ctx does, and cannot outlive this process.
func (n *Network) Command(ctx context.Context, machine, program string, args ...string) Command {
	c := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", n.Namespace(machine), program}, args...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 15 * time.Second
	return Command{c}
}

// run runs it and puts what it says into the error.
func (c Command) run() error {
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// batch returns lines to one call of `ip`, which is faster than a call for each. It goes by sh's rules of no shell: one command a line.
func batch(ctx context.Context, lines string, flags ...string) error {
	c := exec.CommandContext(ctx, "ip", append(flags, "-batch", "-")...)
	c.Stdin = strings.NewReader(lines)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(flags, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// try runs programs of which one is enough, and gives the errors of all if none works.
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
