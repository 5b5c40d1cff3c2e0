// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"stillwatch/internal/buildinfo"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/customrule"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/sigma"
	"stillwatch/sensor/internal/terminal"
)

type ruleCmd struct {
	Check ruleCheckCmd `cmd:"" help:"Read custom rules; print what they mean, or every mistake."`
	Test  ruleTestCmd  `cmd:"" help:"Show what custom rules match in captures."`
	Sigma ruleSigmaCmd `cmd:"" name:"import-sigma" help:"Translate Sigma rules about network traffic into custom rules."`
}

type ruleCheckCmd struct {
	Files []string `arg:"" name:"rules" help:"Rules (YAML), or a folder of them." type:"path"`
}

// Help returns examples and the exit status.
func (ruleCheckCmd) Help() string {
	return `The cost of a rule is that of its operators and regular expressions: 1000 at most, and 10000 for all rules on one kind of event.

Examples:

    stillwatch-sensor rule check rules.yaml
    stillwatch-sensor rule check /etc/stillwatch/rules

Exit status: 0 no mistakes; 2 mistakes, each printed on its own line with file, line and column.`
}

// Run prints the rules.
func (c *ruleCheckCmd) Run(t *terminal.Terminal) error {
	rules, err := loadRules(c.Files)
	if err != nil {
		return badUsage(err)
	}
	rows := [][]string{{"RULE", "NAME", "ON", "SEVERITY", "COST", "EXPRESSION"}}
	for _, r := range rules {
		rows = append(rows, []string{r.ID, r.Name, string(r.On), r.Severity, fmt.Sprint(r.Cost()), strings.Join(strings.Fields(r.When), " ")})
	}
	return t.Table(t.Out, rows)
}

// loadRules reads the rules of several files or folders, which are used together.
func loadRules(paths []string) (all []*customrule.Rule, err error) {
	var errs []error
	for _, p := range paths {
		rules, err := config.LoadRules(p)
		all, errs = append(all, rules...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, customrule.Check(all)
}

type ruleTestCmd struct {
	captures
	Rules []string `help:"Rules (YAML), or a folder of them. Can be repeated. Default: those of the configuration." placeholder:"FILE" type:"path" sep:"none"`
}

// Help returns examples and the exit status.
func (ruleTestCmd) Help() string {
	return `The table has for each rule how many events its expression was checked at, how many matched, how many alerts came of that, and when
and between whom the first match was. Inventory and configuration apply as in a replay.

Examples:

    stillwatch-sensor rule test --rules rules.yaml office.pcap
    stillwatch-sensor rule test --rules rules.yaml --inventory site.yaml monday.pcap tuesday.pcap.zst
    stillwatch-sensor rule test --config sensor.yaml office.pcap

Exit status: 0 all captures were read; 1 a capture was damaged or cut short; 2 bad usage, invalid rules, or a file that cannot be
opened.`
}

// Run replays the captures and prints what the rules matched.
func (c *ruleTestCmd) Run(t *terminal.Terminal, b buildinfo.Info) error {
	cfg, err := c.load(b.Version)
	if err != nil {
		return badUsage(err)
	}
	if len(c.Rules) > 0 {
		if cfg.Rules, err = loadRules(c.Rules); err != nil {
			return badUsage(err)
		}
	}
	if len(cfg.Rules) == 0 {
		return badUsage(errors.New("no rules: give --rules FILE, or --config with a configuration that names rules"))
	}
	s, src, err := readCaptures(t, c.Captures)
	if err != nil {
		return err
	}
	defer s.stop()
	defer src.Close()
	alerts := map[string]map[string]bool{} // ids, by rule
	r, err := pipeline.New(cfg, src, pipeline.Output{Alert: func(a *schemas.Alert) error {
		if alerts[a.Rule.ID] == nil {
			alerts[a.Rule.ID] = map[string]bool{}
		}
		alerts[a.Rule.ID][a.ID] = true
		return nil
	}})
	if err != nil {
		return badUsage(err)
	}
	end := run(r, src, s, t, t.CanRepaint() && t.OutTTY)
	var fault *pipeline.PanicError
	if errors.As(end.err, &fault) {
		return crash(fault)
	}
	sum := r.Summary()
	rows := [][]string{{"RULE", "NAME", "CHECKED", "MATCHED", "ALERTS", "FIRST MATCH", "DEVICE", "PEER"}}
	for _, x := range sum.Custom {
		first := ""
		if x.Matched > 0 {
			first = terminal.Moment(x.FirstAt)
		}
		rows = append(rows, []string{x.ID, x.Name, terminal.Grouped(x.Checked), terminal.Grouped(x.Matched), terminal.Grouped(uint64(len(alerts[x.ID]))), first, x.FirstDevice, x.FirstPeer})
	}
	return verdict(errors.Join(end.err, t.Table(t.Out, rows)), end.signal, sum.Damage)
}

type ruleSigmaCmd struct {
	Files  []string `arg:"" name:"sigma" help:"Sigma rules (YAML)." type:"path"`
	First  string   `help:"Id of the first rule; the others count on from it." default:"C001" placeholder:"ID"`
	Output string   `short:"o" help:"Write the rules to FILE instead of standard output. FILE must not exist." placeholder:"FILE" type:"path"`
}

// Help returns examples and the exit status.
func (ruleSigmaCmd) Help() string {
	return `Translated are rules on dns, firewall, network_connection, proxy and webserver, and on zeek's dns, conn, http, ssl and x509. Title, level,
techniques, id and author are kept. For each rule that does not translate a line on standard error says why.

Examples:

    stillwatch-sensor rule import-sigma -o sigma.yaml rules/network/*.yml
    stillwatch-sensor rule import-sigma --first C500 proxy_download.yml

Exit status: 0 at least one rule was translated; 1 none was; 2 bad usage, or a file that cannot be read.`
}

// Run translates the rules.
func (c *ruleSigmaCmd) Run(t *terminal.Terminal) error {
	n, err := strconv.Atoi(strings.TrimPrefix(c.First, "C"))
	if err != nil || len(c.First) < 3 || len(c.First) > 5 || c.First[0] != 'C' || n < 0 {
		return badUsage(fmt.Errorf("--first: give C and 2 to 4 digits, not %q", c.First))
	}
	width := len(c.First) - 1
	var rules []*customrule.Rule
	var refused []error
	for _, file := range c.Files {
		src, err := os.ReadFile(file)
		if err != nil {
			return badUsage(err)
		}
		all, err := sigma.Translate(file, src)
		if err != nil {
			return badUsage(err)
		}
		for _, x := range all {
			if x.Err != nil {
				refused = append(refused, fmt.Errorf("%s: %s: not translated: %w", file, either(x.Title, "no title"), x.Err))
				continue
			}
			if strings.HasSuffix(x.Rule.Name, "…") {
				fmt.Fprintf(t.Err, "%s: %s: the title is longer than the name of a rule, which is %q\n", program, terminal.Clean(file), terminal.Clean(x.Rule.Name))
			}
			x.Rule.ID = fmt.Sprintf("C%0*d", width, n)
			if n++; len(x.Rule.ID) > 5 {
				return badUsage(fmt.Errorf("--first %s: the ids end at C9999: give a lower one", c.First))
			}
			rules = append(rules, x.Rule)
		}
	}
	for _, e := range refused {
		fmt.Fprintln(t.Err, program+": "+terminal.Clean(e.Error()))
	}
	if len(rules) == 0 {
		return &exitError{status: exitIncomplete, err: errors.New("no rule was translated")}
	}
	if err := customrule.Check(rules); err != nil {
		return badUsage(err)
	}
	return writeDraft(t, c.Output, config.FormatRules(rules))
}
