// SPDX-License-Identifier: Apache-2.0

package detect

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

func join(ts ...[]Technique) []Technique {
	var out []Technique
	for _, t := range ts {
		out = append(out, t...)
	}
	return out
}

// The MITRE ATT&CK tactics that the rules speak of.
const (
	taReconnaissance = "TA0043"
	taResources      = "TA0042"
	taInitialAccess  = "TA0001"
	taEvasion        = "TA0005"
	taCredentials    = "TA0006"
	taDiscovery      = "TA0007"
	taLateral        = "TA0008"
	taCollection     = "TA0009"
	taExfiltration   = "TA0010"
	taCommand        = "TA0011"

	icsCommand       = "TA0101"
	icsDiscovery     = "TA0102"
	icsImpact        = "TA0105"
	icsInhibit       = "TA0107"
	icsInitialAccess = "TA0108"
	icsLateral       = "TA0109"
)

// Rules gives all rules in order, that of the chain (D42) last. Reliability is r of the chaining formula: how often a
// finding of high severity is right.
func Rules() []Rule {
	return []Rule{
		ruleOutbound, ruleWake, ruleRole, ruleCallback, ruleExposure, ruleLogin, ruleBruteForce, ruleScan,
		ruleMirai, ruleUpload, ruleNewDevice, ruleBlindness, RuleChain(),
	}
}

var ruleOutbound = Rule{"D01", "Unexpected outbound", "unexpected_outbound", 1,
	join(enterprise(taCommand, "T1071", "T1095"), ics(icsCommand, "T0869", "T0885")), 0.85}

var ruleWake = Rule{"D02", "Wake from idle", "wake_from_idle", 1, enterprise(taResources, "T1584.004", "T1584.008"), 0.5}

var ruleRole = Rule{"D05", "Role breach", "role_breach", 1,
	join(enterprise(taCommand, "T1571", "T1205"), ics(icsCommand, "T0885")), 0.6}

var ruleCallback = Rule{"D06", "Persistent failed callback", "failed_callback", 1,
	join(enterprise(taCommand, "T1008", "T1571"), ics(icsCommand, "T0869")), 0.8}

var ruleExposure = Rule{"D07", "Exposed admin port", "exposed_admin_port", 1,
	join(enterprise(taInitialAccess, "T1133", "T1190"), ics(icsInitialAccess, "T0883", "T0822")), 0.4}

var ruleLogin = Rule{"D08", "Login success", "login_success", 1,
	join(enterprise(taInitialAccess, "T1078"), enterprise(taLateral, "T1021.001", "T1021.002", "T1021.004"),
		ics(icsLateral, "T0886", "T0859")), 0.97}

var ruleBruteForce = Rule{"D09", "Brute force", "brute_force", 1,
	join(enterprise(taCredentials, "T1110.001", "T1110.003", "T1110.004"), ics(icsLateral, "T0859")), 0.7}

var ruleScan = Rule{"D13", "Scan", "scan", 1,
	join(enterprise(taDiscovery, "T1046", "T1018"), enterprise(taReconnaissance, "T1595.001"),
		ics(icsDiscovery, "T0846", "T0840")), 0.9}

var ruleMirai = Rule{"D14", "Mirai-family scan", "mirai_scan", 1,
	join(enterprise(taReconnaissance, "T1595.002"), enterprise(taCredentials, "T1110"), ics(icsDiscovery, "T0846")), 0.999}

var ruleUpload = Rule{"D18", "Upload asymmetry", "upload", 1,
	join(enterprise(taExfiltration, "T1041", "T1048", "T1567"), enterprise(taCollection, "T1125"),
		ics(icsImpact, "T0882")), 0.7}

var ruleNewDevice = Rule{"D34", "New device", "new_device", 1,
	join(enterprise(taInitialAccess, "T1200"), ics(icsInitialAccess, "T0864", "T0848")), 0.2}

var ruleBlindness = Rule{"D41", "Blindness", "blindness", 1,
	join(enterprise(taEvasion, "T1562"), ics(icsInhibit, "T0804")), 0.1}

// RuleChain is the rule of the incident as a whole; the alert manager applies it.
func RuleChain() Rule { return Rule{"D42", "Chain", "chain", 1, nil, 0} }
