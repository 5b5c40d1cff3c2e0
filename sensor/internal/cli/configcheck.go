// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"stillwatch/sensor/internal/assets"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/customrule"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/intel"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/terminal"
)

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Read inventory and configuration; print what they mean, or every mistake."`
}

type configCheckCmd struct {
	Inventory string `help:"Inventory of the network (YAML)." placeholder:"FILE" type:"path"`
	Config    string `help:"Configuration of the sensor (YAML)." placeholder:"FILE" type:"path"`
}

// Help returns examples and the exit status.
func (configCheckCmd) Help() string {
	return `Examples:

    stillwatch-sensor config check --inventory site.yaml
    stillwatch-sensor config check --inventory site.yaml --config sensor.yaml

Exit status: 0 no mistakes; 2 mistakes, each printed on its own line with file, line and column.`
}

// Run reads both files, so that the mistakes of both are printed at once.
func (c *configCheckCmd) Run(t *terminal.Terminal) error {
	if c.Inventory == "" && c.Config == "" {
		return badUsage(errors.New("nothing to check: give --inventory FILE or --config FILE"))
	}
	set, inv, setErr, invErr := documents(c.Config, c.Inventory)
	external, externalErr := databases(set, c.Config)
	if err := errors.Join(setErr, invErr, externalErr); err != nil {
		return badUsage(err)
	}
	if _, err := assets.Load(beside(c.Config, set.Assets)); err != nil {
		return badUsage(fmt.Errorf("assets: %w", err))
	}
	lists, err := intel.Load(beside(c.Config, set.Intel))
	if err != nil {
		return badUsage(fmt.Errorf("intel: %w", err))
	}
	rules, err := config.LoadRules(beside(c.Config, set.Rules))
	if err != nil {
		return badUsage(err)
	}
	var rows [][]string
	if c.Config != "" {
		rows = append(rows, configRows(c.Config, set)...)
		rows = append(rows, databaseRows(set, external)...)
		rows = append(rows, intelRows(lists)...)
		rows = append(rows, customRows(rules)...)
	}
	if inv != nil {
		rows = append(rows, inventoryRows(either(c.Inventory, set.Inventory), inv)...)
	}
	return t.Table(t.Out, append([][]string{{"ITEM", "MEANING"}}, rows...))
}

// inventoryRows describes an inventory, with one row for each section and each device.
func inventoryRows(file string, inv *contract.Inventory) [][]string {
	rows := [][]string{{"inventory", file}, {"site", either(inv.Site, "not set")}, {"internal", either(prefixes(inv.Internal), "private addresses")}}
	for _, z := range inv.Zones {
		rows = append(rows, []string{"zone " + z.Name, prefixes(z.Networks)})
	}
	in := inv.Infrastructure
	for _, x := range []struct {
		name  string
		hosts []contract.Host
	}{{"dns", in.DNS}, {"ntp", in.NTP}, {"dhcp", in.DHCP}, {"syslog", in.Syslog}, {"admin", in.Admin}} {
		if x.hosts != nil {
			rows = append(rows, []string{"infrastructure " + x.name, either(hostsText(x.hosts), "none")})
		}
	}
	for i := range inv.Devices {
		e := &inv.Devices[i]
		rows = append(rows, []string{"device " + e.Name, entryText(e)})
	}
	return rows
}

func entryText(e *contract.Entry) string {
	parts := []string{matchText(e.Match), "expected " + strings.ReplaceAll(e.Expect.String(), "_", " ")}
	if e.Owner != "" {
		parts = append(parts, "owner "+e.Owner)
	}
	if e.Criticality != "" {
		parts = append(parts, "criticality "+e.Criticality)
	}
	for _, a := range e.Allow {
		parts = append(parts, "may "+a.Text)
	}
	if n := len(e.Maintenance); n > 0 {
		parts = append(parts, terminal.Counted(uint64(n), "maintenance window"))
	}
	return strings.Join(parts, "; ")
}

func matchText(m contract.Match) string {
	switch {
	case m.MAC != packet.MAC{}:
		return "MAC " + m.MAC.String()
	case m.IP.IsValid():
		return "address " + m.IP.String()
	case m.Prefix.IsValid():
		return "network " + m.Prefix.String()
	case m.Vendor != "":
		return "vendor " + m.Vendor
	case m.Role != device.Unknown:
		return "role " + m.Role.String()
	}
	return "nothing"
}

func hostsText(all []contract.Host) string {
	var parts []string
	for _, h := range all {
		switch {
		case h.Name != "":
			parts = append(parts, h.Name)
		case h.Prefix.IsSingleIP():
			parts = append(parts, h.Prefix.Addr().String())
		default:
			parts = append(parts, h.Prefix.String())
		}
	}
	return strings.Join(parts, ", ")
}

func prefixes(all []netip.Prefix) string {
	var parts []string
	for _, p := range all {
		parts = append(parts, p.String())
	}
	return strings.Join(parts, ", ")
}

// either returns text, or otherwise if text is empty.
func either(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// intelRows describes the lists of threat intelligence.
func intelRows(s *intel.Set) (rows [][]string) {
	if s == nil {
		return nil
	}
	for _, f := range s.Feeds {
		text := fmt.Sprintf("%s of %s: %s", f.Name, f.Date, terminal.Counted(uint64(f.Entries), "indicator"))
		if f.Skipped > 0 {
			text += fmt.Sprintf(", %s skipped", terminal.Grouped(uint64(f.Skipped)))
		}
		rows = append(rows, []string{"list", text})
	}
	return rows
}

// customRows describes the rules of the operator.
func customRows(rules []*customrule.Rule) (rows [][]string) {
	for _, r := range rules {
		rows = append(rows, []string{"rule " + r.ID, ruleText(r)})
	}
	return rows
}

// ruleText describes a rule of the operator: "Telnet to a camera; on opened; severity high; 3 matches within 1h0m0s of a device".
func ruleText(r *customrule.Rule) string {
	text := fmt.Sprintf("%s; on %s; severity %s", r.Name, r.On, r.Severity)
	if r.Count > 1 {
		per := "device"
		if r.PerPair {
			per = "device and peer"
		}
		text += fmt.Sprintf("; %d matches of a %s within %s", r.Count, per, r.Within)
	}
	return text
}

// configRows describes a configuration, including its defaults.
func configRows(file string, cfg *config.Config) [][]string {
	l := cfg.Limits
	rows := [][]string{
		{"configuration", file}, {"sensor", cfg.SensorID}, {"site", either(cfg.Site, "from the inventory")},
		{"idle after", terminal.Counted(uint64(cfg.IdleDays), "day")},
		{"silent", either(silentText(cfg), "none")},
		{"data files", either(cfg.Assets, "those of the program")},
		{"limits", fmt.Sprintf("%s sessions, %s devices, %s names; first bytes of %s sessions, %s in total, %s for each direction",
			terminal.Grouped(uint64(l.Sessions)), terminal.Grouped(uint64(l.Devices)), terminal.Grouped(uint64(l.Names)), terminal.Grouped(uint64(l.HeadSessions)),
			terminal.Bytes(uint64(l.HeadBytes)), terminal.Bytes(uint64(l.HeadLimit)))},
	}
	if cfg.Publish != nil {
		rows = append(rows, []string{"publish", publishText(cfg.Publish)})
	}
	for _, rule := range slices.Sorted(maps.Keys(cfg.Detections)) {
		text := "on"
		if !cfg.Enabled(rule) {
			text = "off"
		}
		if s := cfg.Detections[rule].Severity; s != nil {
			text += ", severity " + *s
		}
		rows = append(rows, []string{"rule " + rule, text})
	}
	return rows
}

// databaseRows describes the databases of fingerprints.
func databaseRows(cfg *config.Config, x device.External) (rows [][]string) {
	if x.P0f != nil {
		rows = append(rows, []string{"p0f", fmt.Sprintf("%s, %s", cfg.Fingerprints.P0f, terminal.Counted(uint64(x.P0f.Signatures()), "signature"))})
	}
	if x.Recog != nil {
		rows = append(rows, []string{"recog", fmt.Sprintf("%s, %s", cfg.Fingerprints.Recog, terminal.Counted(uint64(x.Recog.Patterns()), "pattern"))})
	}
	return rows
}

func silentText(cfg *config.Config) string {
	parts := []string{}
	if len(cfg.Silent) > 0 {
		parts = append(parts, prefixes(cfg.Silent))
	}
	for _, m := range cfg.SilentMACs {
		parts = append(parts, m.String())
	}
	return strings.Join(parts, ", ")
}
