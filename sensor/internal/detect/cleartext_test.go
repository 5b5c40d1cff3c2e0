// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
)

const admin = "10.20.1.10"

// reads opens a session and reports facts that were read in it.
func (s *stage) reads(from, to string, facts ...dissect.Fact) {
	v := s.connect(from, to)
	for _, f := range facts {
		s.event(detect.SessionFact, v, f)
	}
}

func ftpLogin(r dissect.Outcome, defaults bool) *dissect.Login {
	return &dissect.Login{Protocol: "ftp", Result: r, DefaultCredentials: defaults, CleartextCredentials: true}
}

func TestCleartextPage(t *testing.T) {
	checkPage(t, "D26", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for range 2 {
			s.reads(admin, silent+":21", ftpLogin(dissect.OutcomeSuccess, false))
			s.wait(minute)
		}
		return s
	})
}

func TestCleartext(t *testing.T) {
	basic := func(status int, r dissect.Outcome) *dissect.HTTPExchange {
		return &dissect.HTTPExchange{Method: "GET", Status: status, AuthScheme: "basic", AuthResult: r, CleartextCredentials: true}
	}
	form := func(status int) *dissect.HTTPExchange {
		return &dissect.HTTPExchange{Method: "POST", Status: status, AuthScheme: "form", CleartextCredentials: true}
	}
	for name, c := range map[string]struct {
		from, to string
		fact     dissect.Fact
		want     []string
	}{
		"ftp":                    {admin, silent + ":21", ftpLogin(dissect.OutcomeSuccess, false), []string{"medium ftp from inside 1"}},
		"ftp from outside":       {foreign, silent + ":21", ftpLogin(dissect.OutcomeSuccess, false), []string{"medium ftp from outside 1"}},
		"to a server outside":    {silent, foreign + ":21", ftpLogin(dissect.OutcomeSuccess, false), []string{"medium ftp to outside 1"}},
		"a wrong guess":          {foreign, silent + ":21", ftpLogin(dissect.OutcomeFailure, true), nil},
		"no answer":              {foreign, silent + ":21", ftpLogin(dissect.OutcomeUnknown, false), nil},
		"anonymous":              {admin, silent + ":21", &dissect.Login{Protocol: "ftp", Result: dissect.OutcomeSuccess}, nil},
		"basic":                  {admin, silent + ":80", basic(200, dissect.OutcomeSuccess), []string{"medium http from inside 1"}},
		"basic, refused":         {admin, silent + ":80", basic(401, dissect.OutcomeFailure), nil},
		"basic, no response yet": {admin, silent + ":80", basic(0, dissect.OutcomeUnknown), nil},
		"a form":                 {admin, silent + ":80", form(302), []string{"medium http from inside 1"}},
		"a form, refused":        {admin, silent + ":80", form(403), nil},
		"digest":                 {admin, silent + ":80", &dissect.HTTPExchange{Status: 200, AuthScheme: "digest", AuthResult: dissect.OutcomeSuccess}, nil},
		"rtsp basic":             {admin, silent + ":554", &dissect.RTSPExchange{Status: 200, AuthScheme: "basic", AuthResult: dissect.OutcomeSuccess, CleartextCredentials: true}, []string{"medium rtsp from inside 1"}},
		"ssh":                    {admin, silent + ":22", &dissect.SSHAuth{Result: dissect.OutcomeSuccess}, nil},
		"snmp":                   {admin, silent + ":161", &dissect.Login{Protocol: "snmp", Result: dissect.OutcomeSuccess, CleartextCredentials: true}, []string{"medium snmp from inside 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, legacy())
			s.reads(c.from, c.to, c.fact)
			s.want(t, "D26", c.want...)
		})
	}
}

// TestCleartextOncePerMonth has two clients log in every day for 40 days: one alert for each protocol and side.
func TestCleartextOncePerMonth(t *testing.T) {
	s := newStage(t, legacy())
	for range 29 {
		s.reads(admin, silent+":21", ftpLogin(dissect.OutcomeSuccess, false))
		s.reads("10.20.1.11", silent+":2121", ftpLogin(dissect.OutcomeSuccess, false))
		s.reads(foreign, silent+":21", ftpLogin(dissect.OutcomeSuccess, false))
		s.wait(24 * hour)
	}
	s.want(t, "D26", "medium ftp from inside 32", "medium ftp from outside 16")
}

func TestFactoryLoginPage(t *testing.T) {
	checkPage(t, "D27", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for range 2 {
			s.reads(admin, silent+":21", ftpLogin(dissect.OutcomeSuccess, true))
			s.wait(minute)
		}
		return s
	})
}

func TestFactoryLogin(t *testing.T) {
	digest := func(r dissect.Outcome, defaults bool) *dissect.RTSPExchange {
		return &dissect.RTSPExchange{Status: 200, AuthScheme: "digest", AuthResult: r, DefaultCredentials: defaults}
	}
	snmp := &dissect.Login{Protocol: "snmp", Result: dissect.OutcomeSuccess, DefaultCredentials: true, CleartextCredentials: true}
	for name, c := range map[string]struct {
		from, to string
		fact     dissect.Fact
		want     []string
	}{
		"ftp":                        {admin, silent + ":21", ftpLogin(dissect.OutcomeSuccess, true), []string{"high ftp from inside 1"}},
		"ftp, a password of its own": {admin, silent + ":21", ftpLogin(dissect.OutcomeSuccess, false), nil},
		"a failed guess":             {foreign, silent + ":21", ftpLogin(dissect.OutcomeFailure, true), nil},
		"no answer":                  {foreign, silent + ":21", ftpLogin(dissect.OutcomeUnknown, true), nil},
		"digest":                     {foreign, silent + ":554", digest(dissect.OutcomeSuccess, true), []string{"high rtsp from outside 1"}},
		"digest, another password":   {foreign, silent + ":554", digest(dissect.OutcomeSuccess, false), nil},
		"to a server outside":        {silent, foreign + ":21", ftpLogin(dissect.OutcomeSuccess, true), nil},
		"snmp":                       {admin, silent + ":161", snmp, []string{"medium snmp from inside 1"}},
		"snmp from outside":          {foreign, silent + ":161", snmp, []string{"high snmp from outside 1"}},
		"no password yet":            {admin, silent + ":37020", &dissect.DeviceInfo{Protocol: "sadp", IP: netip.MustParseAddr(silent), Activated: dissect.OutcomeFailure}, []string{"medium no password, by sadp 1"}},
		"about another device":       {admin, silent + ":37020", &dissect.DeviceInfo{Protocol: "sadp", IP: netip.MustParseAddr(admin), Activated: dissect.OutcomeFailure}, nil},
		"activated":                  {admin, silent + ":37020", &dissect.DeviceInfo{Protocol: "sadp", Activated: dissect.OutcomeSuccess}, nil},
		"nothing said about it":      {admin, silent + ":37020", &dissect.DeviceInfo{Protocol: "sadp"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, legacy())
			s.reads(c.from, c.to, c.fact)
			s.want(t, "D27", c.want...)
		})
	}
}

// withParams returns a stage with one rule and its parameters.
func withParams[P any](t *testing.T, rule string, p P) *stage {
	dets, err := detect.New(detect.Config{
		Enabled: func(id string) bool { return id == rule },
		Params:  func(_ string, into any) error { *into.(*P) = p; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, legacy())
	s.dets = dets
	return s
}

func TestCleartextParameters(t *testing.T) {
	s := withParams(t, "D26", detect.CleartextParams{ExternalOnly: true, MaxLogins: 10})
	s.reads(admin, silent+":21", ftpLogin(dissect.OutcomeSuccess, false))
	s.reads(foreign, silent+":21", ftpLogin(dissect.OutcomeSuccess, false))
	s.want(t, "D26", "medium ftp from outside 1")

	s = withParams(t, "D27", detect.FactoryLoginParams{MaxLogins: 10})
	s.reads(admin, silent+":37020", &dissect.DeviceInfo{Protocol: "sadp", Activated: dissect.OutcomeFailure})
	s.want(t, "D27")
}

// TestLoginTablesAreBounded floods the tables of both rules with devices.
func TestLoginTablesAreBounded(t *testing.T) {
	for rule, s := range map[string]*stage{
		"D26": withParams(t, "D26", detect.CleartextParams{MaxLogins: 10}),
		"D27": withParams(t, "D27", detect.FactoryLoginParams{MaxLogins: 10}),
	} {
		for i := range 100 {
			s.reads(admin, fmt.Sprintf("10.20.40.%d:21", 1+i), ftpLogin(dissect.OutcomeSuccess, true))
		}
		if n := detect.Evictions(s.dets); n != 90 {
			t.Errorf("%s: %d evictions, want 90", rule, n)
		}
	}
}
