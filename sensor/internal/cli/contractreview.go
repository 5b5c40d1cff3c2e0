// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/terminal"
)

type contractDeleteCmd struct {
	stateFile
	oneDevice
	Entry string `arg:"" name:"entry" help:"The entry, as 'contract show' writes it."`
}

// Run deletes an entry.
func (c *contractDeleteCmd) Run(t *terminal.Terminal) error {
	k, err := contract.ParseKey(c.Entry)
	if err != nil {
		return badUsage(err)
	}
	return c.change(t, func(x *contracts) error { return x.Delete(c.Device, k) })
}

type contractReviewCmd struct {
	stateFile
}

// Run lists, for each contract with something to decide: what leads outside while it is in review, what contradicts the role, and what was seen outside.
func (c *contractReviewCmd) Run(t *terminal.Terminal) error {
	return c.read(t, func(x *contracts) error {
		rows := [][]string{{"DEVICE", "STATE", "WHY", "USES", "FIRST", "LAST", "ENTRY"}}
		for _, k := range x.All() {
			for _, d := range decisions(k) {
				e := d.entry
				rows = append(rows, []string{k.Device, k.State.String(), d.why, fmt.Sprint(e.Uses), date(e.First), date(e.Last), e.Key.String()})
			}
		}
		if len(rows) == 1 {
			_, err := fmt.Fprintln(t.Out, "nothing to decide: no contract is in review, and no entry is proposed")
			return err
		}
		return t.Table(t.Out, rows)
	})
}

// decision is an entry that an analyst should look at.
type decision struct {
	why   string
	entry *contract.LearnedEntry
}

func decisions(k *contract.Learned) (out []decision) {
	if !k.Enforced() {
		return nil
	}
	outside := map[*contract.LearnedEntry]bool{}
	if k.State == contract.Review {
		for _, e := range k.Outsiders() {
			outside[e] = true
		}
	}
	for _, e := range k.Entries(true) {
		why := ""
		switch role := k.Contradicts(e); {
		case k.Proposed(e):
			why = "proposed"
			if e.Note != "" {
				why += ": " + e.Note
			}
		case role != "":
			why = role
		case outside[e]:
			why = "leads outside"
		case e.Stale:
			why = "stale"
		default:
			continue
		}
		out = append(out, decision{why, e})
	}
	return out
}
