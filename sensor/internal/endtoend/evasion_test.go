// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testlab/docpage"
	"stillwatch/internal/testlab/evasion"
	"stillwatch/schemas"
)

// TestEvasion replays captures of attacks that try to stay unseen. Each must be reported by its rule, or not be reported by it if the case gives
// a reason: so an improvement shows as well. The table of results in docs/evasion.md must be current (-args update writes it).
func TestEvasion(t *testing.T) {
	inventory := filepath.Join(t.TempDir(), "inventory.yaml")
	if err := os.WriteFile(inventory, []byte(evasion.Inventory), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := evasion.Cases()
	rows := make([]string, len(cases))
	t.Run("cases", func(t *testing.T) {
		for i, c := range cases {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				rows[i] = evade(t, &c, inventory)
			})
		}
	})
	var table strings.Builder
	for i, c := range cases {
		if i == 0 || c.Group != cases[i-1].Group {
			fmt.Fprintf(&table, "\n## %s\n\n| capture | what the attacker does | reported by | other alerts |\n|---|---|---|---|\n", c.Group)
		}
		table.WriteString(rows[i])
	}
	docpage.Check(t, "evasion.md", "evasion", table.String()+"\n")
}

// evade replays a case, compares the alerts with what the case expects, and returns its row of the table.
func evade(t *testing.T, c *evasion.Case, inventory string) string {
	t.Helper()
	capture, err := c.Capture()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), c.Name+".pcap")
	if err := os.WriteFile(path, capture, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"replay", "--log-level", "error", path}
	if !c.Bare {
		args = append(args, "--inventory", inventory)
	}
	r := run1(t, args...)
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	own, others := sorted(t, c, r.out)
	result := own
	switch {
	case c.Missed == "" && own == "":
		t.Errorf("%s does not report %s; all alerts:%s", c.Rule, c.Device, titles(t, r.out))
	case c.Missed != "" && own != "":
		t.Errorf("reported now: %s. Remove the reason why it is not: %s", own, c.Missed)
	case c.Missed != "":
		result = "**not by " + link(c.Rule) + "**: " + c.Missed
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", c.Name, c.Trick, result, others)
}

// link returns a link to the page of a rule; a rule without a page has none.
func link(rule string) string {
	if slices.Contains(rules(), rule) {
		return fmt.Sprintf("[%s](detections/%s.md)", rule, rule)
	}
	return rule
}

// sorted returns the alerts of a case: the most severe one of its rule about its device, and the others by rule, with the highest severity of
// each. Information is left out.
func sorted(t *testing.T, c *evasion.Case, out string) (own, others string) {
	severities := []string{"informational", "low", "medium", "high", "critical"}
	worst := map[string]int{}
	mine := 0
	for _, a := range lastRevisions(t, out) {
		s := slices.Index(severities, a.Severity)
		if a.Rule.ID == c.Rule && a.Device.Key == c.Device {
			mine = max(mine, s)
		} else {
			worst[a.Rule.ID] = max(worst[a.Rule.ID], s)
		}
	}
	if mine > 0 {
		own = link(c.Rule) + ", " + severities[mine]
	}
	var list []string
	for _, rule := range rules() {
		if s := worst[rule]; s > 0 {
			list = append(list, rule+" "+severities[s])
		}
	}
	return own, strings.Join(list, ", ")
}

// lastRevisions returns the last revision of each alert, in the order in which they were raised.
func lastRevisions(t *testing.T, out string) (all []schemas.Alert) {
	t.Helper()
	place := map[string]int{}
	for text := range strings.Lines(out) {
		var a schemas.Alert
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(err)
		}
		if i, ok := place[a.ID]; ok {
			all[i] = a
			continue
		}
		place[a.ID] = len(all)
		all = append(all, a)
	}
	return all
}

func titles(t *testing.T, out string) string {
	t.Helper()
	var b strings.Builder
	for _, a := range lastRevisions(t, out) {
		fmt.Fprintf(&b, "\n\t%s %s %s: %s", a.Rule.ID, a.Severity, a.Device.Key, a.Title)
	}
	return b.String()
}
