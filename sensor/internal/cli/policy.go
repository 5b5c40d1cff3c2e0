// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/policy"
	"stillwatch/sensor/internal/terminal"
)

type policyCmd struct {
	Keygen policyKeygenCmd `cmd:"" help:"Make a key to sign policies with, and print its public part for the configuration."`
	Sign   policySignCmd   `cmd:"" help:"Sign policies: read records as JSON and print one JWS a line."`
	Verify policyVerifyCmd `cmd:"" help:"Check whether a sensor with a configuration takes policies."`
	Show   policyShowCmd   `cmd:"" help:"List the policies in files and in a state file, without checking their signatures."`
}

// Help returns examples and the exit status.
func (policyCmd) Help() string {
	return `Examples:

    stillwatch-sensor policy keygen analyst.jwk
    stillwatch-sensor policy sign --key analyst.jwk backup.json >policies.jws
    stillwatch-sensor policy verify --config sensor.yaml policies.jws
    stillwatch-sensor policy show policies.jws
    stillwatch-sensor policy show --state state.db

Exit status: 0 done, and verify: the sensor takes all; 1 verify: it refuses one, or something could not be written; 2 bad usage,
or a file that cannot be read.`
}

type policyKeygenCmd struct {
	File string `arg:"" name:"file" help:"New file for the private key (JWK). Only its owner can read it." type:"path"`
	Name string `help:"Name of the key in the configuration and in messages." default:"analyst" placeholder:"NAME"`
}

// Run makes a key. It never replaces a file, because policies that an old key has signed need that key.
func (c *policyKeygenCmd) Run(t *terminal.Terminal) error {
	jwk, public, err := policy.NewKey()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		err = fmt.Errorf("%s exists: give a new file", c.File)
	}
	if err != nil {
		return badUsage(err)
	}
	_, err = f.Write(append(jwk, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.Out, "policy:\n  keys:\n    - name: %s\n      key: %s\n", strconv.Quote(c.Name), policy.PublicText(public))
	return err
}

type policySignCmd struct {
	Key     string   `help:"Private key that 'policy keygen' has written." required:"" placeholder:"FILE" type:"path"`
	Records []string `arg:"" name:"record" help:"File with one or more records (JSON); - is standard input."`
}

// Run signs all records, or none.
func (c *policySignCmd) Run(t *terminal.Terminal) error {
	jwk, err := readSmall(c.Key)
	if err != nil {
		return badUsage(err)
	}
	key, err := policy.ReadKey(jwk)
	if err != nil {
		return badUsage(fmt.Errorf("%s: %w", c.Key, err))
	}
	var out strings.Builder
	for _, name := range c.Records {
		all, err := readPolicies(name)
		if err != nil {
			return badUsage(err)
		}
		for _, o := range all {
			if !o.Unsigned {
				return badUsage(fmt.Errorf("%s: the policies are signed already: give the records", name))
			}
			jws, err := policy.Sign(o.Raw, key)
			if err != nil {
				return err
			}
			out.WriteString(jws + "\n")
		}
	}
	_, err = io.WriteString(t.Out, out.String())
	return err
}

// readSmall reads a file of at most 64 KiB.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return b, errors.Join(err, f.Close())
}

type policyVerifyCmd struct {
	Config string   `help:"Configuration of the sensor, with the keys that it trusts." required:"" placeholder:"FILE" type:"path"`
	Files  []string `arg:"" name:"file" help:"File with signed policies, one a line, or with records (JSON); - is standard input."`
}

// Run offers the policies to an empty set, as a sensor without state would do at this moment.
func (c *policyVerifyCmd) Run(t *terminal.Terminal) error {
	set, err := readConfig(c.Config)
	if err != nil {
		return badUsage(err)
	}
	rows, refused := [][]string{{"ID", "VERSION", "KIND", "RESULT"}}, false
	p := policy.New(policy.Config{Sensor: set.SensorID, Site: siteOf(set, c.Config), Keys: set.PolicyKeys})
	for _, name := range c.Files {
		all, err := readPolicies(name)
		if err != nil {
			return badUsage(err)
		}
		for _, o := range all {
			p.Offer(policy.Offer{Raw: o.Raw})
			out, _ := p.Tick(time.Now().UnixNano())
			row := []string{"", "", "", "is there already"}
			if x, err := policy.Peek(o.Raw); err == nil {
				row[0], row[1], row[2] = x.ID, strconv.FormatInt(x.Version, 10), x.Kind
			}
			if len(out) > 0 {
				refused = refused || out[0].Result == policy.Refused
				row[3] = resultText(&out[0])
			}
			rows = append(rows, row)
		}
	}
	if err := t.Table(t.Out, rows); err != nil {
		return err
	}
	if refused {
		return &exitError{status: exitIncomplete}
	}
	return nil
}

func resultText(o *policy.Outcome) string {
	switch o.Result {
	case policy.Taken:
		return "taken"
	case policy.Ignored:
		return "for other sensors"
	}
	return "refused: " + o.Why
}

// siteOf returns the site of a sensor, which the inventory of the configuration may name.
func siteOf(set *config.Config, file string) string {
	site := set.Site
	if _, inv, _, err := documents(file, ""); site == "" && err == nil && inv != nil {
		site = inv.Site
	}
	return cmp.Or(site, "local")
}

type policyShowCmd struct {
	JSON  bool     `name:"json" help:"Print the records as JSON, one a line."`
	State string   `help:"Also list the policies that a sensor has saved in the state file FILE." placeholder:"FILE" type:"path"`
	Files []string `arg:"" optional:"" name:"file" help:"File with signed policies, one a line, or with records (JSON); - is standard input."`
}

// Run lists policies.
func (c *policyShowCmd) Run(t *terminal.Terminal) error {
	all, err := c.policies(t)
	if err != nil {
		return err
	}
	rows := [][]string{{"ID", "VERSION", "KIND", "FOR", "DEVICE", "WHAT", "EXPIRES", "AUTHOR", "REASON"}}
	for _, p := range all {
		if c.JSON {
			if _, err := fmt.Fprintf(t.Out, "%s\n", p.Record()); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, policyRow(p))
	}
	if c.JSON {
		return nil
	}
	return t.Table(t.Out, rows)
}

// policies reads the policies of the files and of the state file.
func (c *policyShowCmd) policies(t *terminal.Terminal) (out []*policy.Policy, err error) {
	if c.State == "" && len(c.Files) == 0 {
		return nil, badUsage(errors.New("give a file with policies, or --state"))
	}
	var raw []policy.Offer
	if c.State != "" {
		s, err := openSaved(t, c.State)
		if err != nil {
			return nil, err
		}
		saved := policy.Saved(func(record []byte) { raw = append(raw, policy.Offer{Raw: record}) })
		if err := errors.Join(s.Load(saved), s.Close()); err != nil {
			return nil, badUsage(err)
		}
	}
	for _, name := range c.Files {
		all, err := readPolicies(name)
		if err != nil {
			return nil, badUsage(err)
		}
		raw = append(raw, all...)
	}
	for _, o := range raw {
		p, err := policy.Peek(o.Raw)
		if err != nil {
			return nil, badUsage(err)
		}
		out = append(out, p)
	}
	return out, nil
}

func policyRow(p *policy.Policy) []string {
	expires := "never"
	if p.Expires != nil {
		expires = time.Unix(0, int64(*p.Expires)).UTC().Format(time.DateTime)
	}
	return []string{p.ID, strconv.FormatInt(p.Version, 10), p.Kind, p.ScopeText(), p.DeviceText(), p.What(), expires, p.Author, p.Reason}
}
