// SPDX-License-Identifier: Apache-2.0

package detect

import "slices"

// The MITRE ATT&CK tactics that the rules name.
const (
	taReconnaissance = "TA0043"
	taResources      = "TA0042"
	taInitialAccess  = "TA0001"
	taExecution      = "TA0002"
	taPersistence    = "TA0003"
	taEvasion        = "TA0005"
	taCredentials    = "TA0006"
	taDiscovery      = "TA0007"
	taLateral        = "TA0008"
	taCollection     = "TA0009"
	taExfiltration   = "TA0010"
	taCommand        = "TA0011"
	taImpact         = "TA0040"

	icsCollection    = "TA0100"
	icsCommand       = "TA0101"
	icsDiscovery     = "TA0102"
	icsImpact        = "TA0105"
	icsInhibit       = "TA0107"
	icsInitialAccess = "TA0108"
	icsImpair        = "TA0106"
	icsLateral       = "TA0109"
	icsPersistence   = "TA0110"
)

// Technique is a MITRE ATT&CK technique.
type Technique struct{ Domain, Tactic, Technique string }

func enterprise(tactic string, ids ...string) []Technique {
	return techniques("enterprise", tactic, ids)
}

func ics(tactic string, ids ...string) []Technique { return techniques("ics", tactic, ids) }

func techniques(domain, tactic string, ids []string) []Technique {
	var out []Technique
	for _, id := range ids {
		out = append(out, Technique{domain, tactic, id})
	}
	return out
}

func join(ts ...[]Technique) []Technique { return slices.Concat(ts...) }
