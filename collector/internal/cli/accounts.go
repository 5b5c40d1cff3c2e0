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

// by is the acting user in the audit log.
const by = "command line"

type userCmd struct {
	Add      userAddCmd      `cmd:"" help:"Add a user. Prompts for the password, or reads it from standard input."`
	Password userPasswordCmd `cmd:"" help:"Set the password of a user and end all sessions of the user."`
}

type userAddCmd struct {
	Name string `arg:"" help:"User name for the sign-in."`
	Role string `help:"Role of the user: ${enum}." enum:"viewer,analyst,admin" default:"analyst" placeholder:"ROLE"`
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
			fmt.Printf("added user %s with role %s\n", u.Name, u.Role)
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
	Add tokenAddCmd `cmd:"" help:"Create an API token and print it. It is shown only once."`
}

type tokenAddCmd struct {
	Name string `arg:"" help:"Name of the token, as shown in the audit log."`
	Role string `help:"Role of the token: ${enum}." enum:"viewer,analyst,admin" default:"viewer" placeholder:"ROLE"`
	Days int    `help:"Days until the token expires; 0: never." default:"365" placeholder:"N"`
	databaseFlags
}

// Run creates the token.
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

// withAuth runs f with the accounts of a database, which a running collector may use at the same time.
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

// askPassword reads a password: twice and without echo from a terminal, else one line from standard input. It is not a command-line
// argument, because other users of the machine can read those.
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
	for i, prompt := range []string{"Password: ", "Repeat password: "} {
		fmt.Fprint(os.Stderr, prompt)
		b, err := term.ReadPassword(in)
		fmt.Fprintln(os.Stderr)
		if err != nil {
			return "", fmt.Errorf("password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", usageError{errors.New("the passwords differ")}
	}
	return typed[0], nil
}

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Check a configuration file and list its errors."`
}

type configCheckCmd struct {
	File string `arg:"" help:"Configuration of the collector (YAML)." type:"path"`
}

// Run checks the file.
func (c *configCheckCmd) Run() error {
	if _, err := config.Load(c.File); err != nil {
		return usageError{err}
	}
	fmt.Printf("%s: no errors found\n", c.File)
	return nil
}
