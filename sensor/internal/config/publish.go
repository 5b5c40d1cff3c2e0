// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net"
	"strconv"

	"stillwatch/internal/brokers"
)

// Publish configures the delivery of records.
type Publish struct {
	Brokers    []string // host:port, at least one
	ClientID   string   // "" for the default
	TLS        *PublishTLS
	SASL       *PublishSASL
	Sessions   bool   // send sessions too
	NoEvidence bool   // do not send the packets of alerts
	SpoolDir   string // "" for the default
	SpoolBytes int    // 0 for the default
}

// PublishTLS is the PEM files, relative to the working directory; "" means none.
type PublishTLS struct{ CA, Cert, Key, ServerName string }

// PublishSASL configures SASL authentication. The password is in a file or an environment variable, never in the configuration.
type PublishSASL struct{ Mechanism, User, PasswordFile, PasswordEnv string }

func (c *Config) readPublish(m *mapping) {
	p := &Publish{}
	k := m.mapping("kafka")
	if k == nil {
		m.find("spool")
		m.failKey("kafka", `"kafka" is missing: list the brokers`)
		m.done()
		return
	}
	k.each("brokers", func(v *value) {
		s := v.string()
		if !v.failed && !hostPort(s) {
			v.fail("%q is not host:port", s)
		}
		p.Brokers = append(p.Brokers, s)
	})
	if len(p.Brokers) == 0 {
		m.failKey("kafka", "brokers must name at least one host:port")
	}
	k.text("client_id", &p.ClientID)
	if t := k.mapping("tls"); t != nil {
		p.TLS = readPublishTLS(t)
	}
	if s := k.mapping("sasl"); s != nil {
		p.SASL = readPublishSASL(s)
	}
	var sessions *bool
	if k.boolean("sessions", &sessions); sessions != nil {
		p.Sessions = *sessions
	}
	var evidence *bool
	if k.boolean("evidence", &evidence); evidence != nil {
		p.NoEvidence = !*evidence
	}
	k.done()
	if s := m.mapping("spool"); s != nil {
		s.text("dir", &p.SpoolDir)
		s.number("max_bytes", &p.SpoolBytes, 1<<20, 1<<40)
		s.done()
	}
	m.done()
	c.Publish = p
}

func readPublishTLS(m *mapping) *PublishTLS {
	t := &PublishTLS{}
	m.text("ca", &t.CA)
	m.text("cert", &t.Cert)
	m.text("key", &t.Key)
	m.text("server_name", &t.ServerName)
	m.done()
	if (t.Cert == "") != (t.Key == "") {
		m.fail("cert and key must be given together")
	}
	return t
}

func readPublishSASL(m *mapping) *PublishSASL {
	s := &PublishSASL{Mechanism: brokers.DefaultMechanism}
	m.choice("mechanism", &s.Mechanism, brokers.Mechanisms())
	m.text("user", &s.User)
	m.text("password_file", &s.PasswordFile)
	m.text("password_env", &s.PasswordEnv)
	m.done()
	if s.User == "" {
		m.fail("user is missing")
	}
	if (s.PasswordFile == "") == (s.PasswordEnv == "") {
		m.fail("give either password_file or password_env")
	}
	return s
}

func hostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil && host != "" && n > 0
}
