// SPDX-License-Identifier: Apache-2.0

package ssh_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// talk records a connection between real ends until the client is authenticated or gives up. Every write is a segment.
func talk(t testing.TB, client *ssh.ClientConfig, server *ssh.ServerConfig) []turn {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	server.AddHostKey(signer)
	client.HostKeyCallback = ssh.InsecureIgnoreHostKey()
	a, b, tap := dissecttest.TapLoopback(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, _, _, err := ssh.NewServerConn(b, server)
		if err == nil {
			_ = c.Close()
		}
		_ = b.Close()
	}()
	c, _, _, err := ssh.NewClientConn(a, "", client)
	if err == nil {
		_ = c.Close()
	}
	_ = a.Close()
	<-done
	return serverExtension(tap.Turns)
}

// serverExtension moves SSH_MSG_EXT_INFO, the server's first encrypted packet, to the end of its key exchange, where the
// network has it: here it races with the client's first request.
func serverExtension(turns []turn) []turn {
	newKeys := slices.IndexFunc(turns, func(x turn) bool {
		return x.Dir == dissect.FromServer && len(x.Data) > 6 && strings.HasSuffix(x.Data[:6], "\x15")
	})
	if newKeys < 0 {
		return turns
	}
	for i := newKeys + 1; i < len(turns); i++ {
		if x := turns[i]; x.Dir == dissect.FromServer {
			return slices.Insert(slices.Delete(turns, i, i+1), newKeys+1, x)
		}
	}
	return turns
}

// passwords lets a client try one after another.
func passwords(list ...string) ssh.AuthMethod {
	next := 0
	return ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
		next++
		return list[next-1], nil
	}), len(list))
}

func TestSSHLogins(t *testing.T) {
	check := func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		if string(password) == "right" {
			return nil, nil
		}
		return nil, errors.New("wrong")
	}
	for _, c := range []struct {
		name     string
		auth     []ssh.AuthMethod
		server   ssh.ServerConfig
		result   dissect.Outcome
		failures int
	}{
		{"at once", []ssh.AuthMethod{passwords("right")}, ssh.ServerConfig{PasswordCallback: check}, dissect.OutcomeSuccess, 0},
		{"third try", []ssh.AuthMethod{passwords("a", "longer-than-the-first", "right")}, ssh.ServerConfig{PasswordCallback: check}, dissect.OutcomeSuccess, 2},
		{"never", []ssh.AuthMethod{passwords("a", "b", "c", "d")}, ssh.ServerConfig{PasswordCallback: check}, dissect.OutcomeFailure, 4},
		{"nothing offered", nil, ssh.ServerConfig{PasswordCallback: check}, dissect.OutcomeUnknown, 0},
		{"no login needed", nil, ssh.ServerConfig{NoClientAuth: true}, dissect.OutcomeSuccess, 0},
		{"after a banner", []ssh.AuthMethod{passwords("a", "right")}, ssh.ServerConfig{PasswordCallback: check,
			BannerCallback: func(ssh.ConnMetadata) string { return strings.Repeat("keep out ", 60) }}, dissect.OutcomeSuccess, 1},
	} {
		for _, cipher := range []string{"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"} {
			t.Run(c.name+" "+cipher, func(t *testing.T) {
				server := c.server
				config := &ssh.ClientConfig{User: "admin", Auth: c.auth, ClientVersion: "SSH-2.0-test_1.0"}
				config.Ciphers = []string{cipher}
				if c.auth != nil {
					config.Auth = []ssh.AuthMethod{passwords(passwordsOf(c.failures, c.result)...)}
				}
				facts := dispatchtest.Play(t, dissect.Ports{Client: 40000, Server: 22}, talk(t, config, &server), 0)
				checkSSH(t, facts, c.result, c.failures)
			})
		}
	}
}

// passwordsOf returns as many wrong passwords as are to fail, then the right one if the login is to succeed.
func passwordsOf(failures int, result dissect.Outcome) []string {
	list := make([]string, failures, failures+1)
	for i := range list {
		list[i] = strings.Repeat("no", i)
	}
	if result == dissect.OutcomeSuccess {
		list = append(list, "right")
	}
	return list
}

func checkSSH(t *testing.T, facts []dissect.Fact, result dissect.Outcome, failures int) {
	t.Helper()
	if name := dissecttest.AppOf(facts); name != "ssh" {
		t.Errorf("application %q", name)
	}
	banners, offers, auth := dissecttest.FactsOf[dissect.SSHBanner](facts), dissecttest.FactsOf[dissect.SSHKexInit](facts), dissecttest.FactsOf[dissect.SSHAuth](facts)
	if len(banners) != 2 || !slices.Contains(banners, dissect.SSHBanner{Server: false, Line: "SSH-2.0-test_1.0"}) || !slices.Contains(banners, dissect.SSHBanner{Server: true, Line: "SSH-2.0-Go"}) {
		t.Errorf("banners %+v", banners)
	}
	if len(offers) != 2 || offers[0].Server == offers[1].Server {
		t.Fatalf("offers %+v", offers)
	}
	for _, o := range offers {
		if !strings.Contains(o.Kex, "curve25519-sha256") || o.HostKey == "" || o.EncC2S == "" || o.MACS2C == "" || o.CompressionS2C != "none" {
			t.Errorf("offer %+v", o)
		}
	}
	last := dissect.SSHAuth{}
	if len(auth) > 0 {
		last = auth[len(auth)-1]
	}
	if last != (dissect.SSHAuth{Result: result, Failures: failures}) {
		t.Errorf("login %+v, want %v after %d failures", auth, result, failures)
	}
}
