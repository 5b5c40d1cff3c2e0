// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/config"
	"stillwatch/collector/internal/store"
)

// by is who does it, in the audit trail.
const by = "command line"

type userCmd struct {
	Add      userAddCmd      `cmd:"" help:"Add a user; the password is asked for, or read from standard input."`
	Password userPasswordCmd `cmd:"" help:"Set the password of a user and end the sessions."`
}

type userAddCmd struct {
	Name string `arg:"" help:"Name to sign in with."`
	Role string `help:"What the user may do: ${enum}." enum:"viewer,analyst,admin" default:"analyst" placeholder:"ROLE"`
	databaseFlags
}

// Run adds the user.
func (c *userAddCmd) Run(ctx context.Context) error {
	return withAuth(ctx, c.databaseFlags, func(a *auth.Auth) error {
		password, err := askPassword()
		if err != nil {
			return err
		}
		u, err := a.AddUser(ctx, by, c.Name, password, auth.Role(c.Role))
		if err == nil {
			fmt.Printf("user %s may sign in as %s\n", u.Name, u.Role)
		}
		return err
	})
}

type userPasswordCmd struct {
	Name string `arg:"" help:"Name of the user."`
	databaseFlags
}

// Run sets the password.
func (c *userPasswordCmd) Run(ctx context.Context) error {
	return withAuth(ctx, c.databaseFlags, func(a *auth.Auth) error {
		password, err := askPassword()
		if err != nil {
			return err
		}
		return a.SetPassword(ctx, by, c.Name, password)
	})
}

type tokenCmd struct {
	Add tokenAddCmd `cmd:"" help:"Make a token and print it; it is shown this once."`
}

type tokenAddCmd struct {
	Name string `arg:"" help:"Name of the token, for the audit trail."`
	Role string `help:"What the token may do: ${enum}." enum:"viewer,analyst,admin" default:"viewer" placeholder:"ROLE"`
	Days int    `help:"How long it is valid; 0: until it is revoked." default:"365" placeholder:"N"`
	databaseFlags
}

// Run makes the token.
func (c *tokenAddCmd) Run(ctx context.Context) error {
	if c.Days < 0 {
		return usageError{errors.New("--days must not be negative")}
	}
	var expires time.Time
	if c.Days > 0 {
		expires = time.Now().AddDate(0, 0, c.Days)
	}
	return withAuth(ctx, c.databaseFlags, func(a *auth.Auth) error {
		secret, _, err := a.NewToken(ctx, by, 0, c.Name, auth.Role(c.Role), expires)
		if err == nil {
			fmt.Println(secret)
		}
		return err
	})
}

// withAuth runs f on the accounts of a database. A collector may be running on it.
func withAuth(ctx context.Context, d databaseFlags, f func(*auth.Auth) error) error {
	path, err := d.path()
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, path)
	if err != nil {
		return err
	}
	err = f(auth.New(auth.Config{Store: s}))
	if errors.Is(err, auth.ErrInput) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrNotFound) {
		err = usageError{err}
	}
	return errors.Join(err, s.Close())
}

// askPassword reads a password: unseen and twice from a terminal, one line from anything else. It is no argument, because
// other users of the machine can read those.
func askPassword() (string, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		line, err := bufio.NewReader(io.LimitReader(os.Stdin, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(os.Stderr, prompt)
		b, err := term.ReadPassword(in)
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return "", fmt.Errorf("password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", usageError{errors.New("the two passwords differ")}
	}
	return typed[0], nil
}

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Tell what is wrong in a configuration; nothing is started."`
}

type configCheckCmd struct {
	File string `arg:"" help:"Configuration of the collector (YAML)." type:"path"`
}

// Run checks the file.
func (c *configCheckCmd) Run() error {
	if _, err := config.Load(c.File); err != nil {
		return usageError{err}
	}
	fmt.Printf("%s: no mistake found\n", c.File)
	return nil
}
