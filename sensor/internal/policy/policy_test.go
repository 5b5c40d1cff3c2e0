// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/snapshot"
)

const (
	second = int64(1e9)
	start  = 1772409600 * second // 2026-03-02 00:00:00 UTC
)

// keyOf returns a private key that is the same in each run.
func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string([]byte{seed}), ed25519.SeedSize)))
}

func publicOf(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func trusted() []config.PolicyKey {
	return []config.PolicyKey{
		{Name: "collector", Public: publicOf(keyOf(1))},
		{Name: "night shift", Public: publicOf(keyOf(2)), Kinds: []string{schemas.PolicySuppress}, Sites: []string{"hq"}},
	}
}

func newSet() *Set { return New(Config{Sensor: "probe-1", Site: "hq", Keys: trusted(), Max: 4}) }

// record returns the record of a suppression; more replaces fields: `"version":2`.
func record(id string, version int, more ...string) string {
	fields := []string{`"schema":"stillwatch.policy/1"`, `"id":"` + id + `"`, fmt.Sprintf(`"version":%d`, version), `"kind":"suppress"`, `"rules":["D18"]`,
		`"reason":"nightly backup"`, `"author":"a.analyst"`, `"created":"2026-03-01T00:00:00Z"`}
	for _, m := range more {
		name, _, _ := strings.Cut(m, ":")
		replaced := false
		for i, f := range fields {
			if strings.HasPrefix(f, name+":") {
				fields[i], replaced = m, true
			}
		}
		if !replaced {
			fields = append(fields, m)
		}
	}
	var kept []string
	for _, f := range fields {
		if !strings.HasSuffix(f, ":-") {
			kept = append(kept, f)
		}
	}
	return "{" + strings.Join(kept, ",") + "}"
}

func sign(t testing.TB, record string, key byte) Offer {
	t.Helper()
	s, err := Sign([]byte(record), keyOf(key))
	if err != nil {
		t.Fatal(err)
	}
	return Offer{Raw: []byte(s)}
}

// offer passes a policy to a set and returns the outcome: "taken", "refused stale_version", "" if it is known.
func offer(s *Set, o Offer, now int64) string {
	s.Offer(o)
	var texts []string
	out, _ := s.Tick(now)
	for _, x := range out {
		text := [...]string{"taken", "refused", "ignored", "ended", "dropped"}[x.Result]
		if x.Code != "" {
			text += " " + x.Code
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

func TestOffers(t *testing.T) {
	flipped := func(o Offer) Offer {
		parts := strings.Split(string(o.Raw), ".")
		b, _ := base64.RawURLEncoding.DecodeString(parts[2])
		b[0] ^= 1
		parts[2] = base64.RawURLEncoding.EncodeToString(b)
		return Offer{Raw: []byte(strings.Join(parts, "."))}
	}
	swapped := func(o Offer, record string) Offer {
		parts := strings.Split(string(o.Raw), ".")
		parts[1] = base64.RawURLEncoding.EncodeToString([]byte(record))
		return Offer{Raw: []byte(strings.Join(parts, "."))}
	}
	for _, c := range []struct {
		name  string
		offer Offer
		want  string
	}{
		{"signed", sign(t, record("a", 1), 1), "taken"},
		{"with white space around it", Offer{Raw: append([]byte(" "), append(sign(t, record("a", 1), 1).Raw, '\n')...)}, "taken"},
		{"of another key", sign(t, record("a", 1), 9), "refused untrusted_key"},
		{"changed signature", flipped(sign(t, record("a", 1), 1)), "refused bad_signature"},
		{"changed record", swapped(sign(t, record("a", 1), 1), record("b", 1)), "refused bad_signature"},
		{"no signature", Offer{Raw: []byte(record("a", 1))}, "refused unsigned"},
		{"no signature, allowed", Offer{Raw: []byte(record("a", 1)), Unsigned: true}, "taken"},
		{"no policy", Offer{Raw: []byte("hello")}, "refused invalid"},
		{"nothing", Offer{}, "refused invalid"},
		{"too large", Offer{Raw: []byte(strings.Repeat("x", 1<<20))}, "refused invalid"},
		{"large record", sign(t, record("a", 1, `"reason":"`+strings.Repeat("x", MaxRecord)+`"`), 1), "refused invalid"},
		{"signed, but no record", sign(t, `{"a":1}`, 1), "refused invalid"},
		{"algorithm none", Offer{Raw: []byte(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(record("a", 1))) + ".")}, "refused invalid"},
		{"expired", sign(t, record("a", 1, `"expires":"2026-03-01T23:59:59Z"`), 1), "refused expired"},
		{"ends later", sign(t, record("a", 1, `"expires":"2026-03-03T00:00:00Z"`), 1), "taken"},
		{"for another site", sign(t, record("a", 1, `"scope":{"site":"lab"}`), 1), "ignored"},
		{"for another sensor", sign(t, record("a", 1, `"scope":{"sensors":["probe-2","probe-3"]}`), 1), "ignored"},
		{"for another site, of an unknown key", sign(t, record("a", 1, `"scope":{"site":"lab"}`), 9), "ignored"},
		{"for this sensor", sign(t, record("a", 1, `"scope":{"site":"hq","sensors":["probe-2","probe-1"]}`), 1), "taken"},
		{"kind and site of the key", sign(t, record("a", 1, `"scope":{"site":"hq"}`), 2), "taken"},
		{"another kind", sign(t, record("a", 1, `"scope":{"site":"hq"}`, `"kind":"forget"`, `"rules":-`, `"device":{"ip":"10.0.0.1"}`), 2), "refused not_allowed"},
		{"all sites", sign(t, record("a", 1), 2), "refused not_allowed"},
	} {
		s := newSet()
		if got := offer(s, c.offer, start); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if active := len(s.Active()); (active == 1) != (c.want == "taken") || (s.Hash() != "") != (active == 1) {
			t.Errorf("%s: %d active, hash %q", c.name, active, s.Hash())
		}
	}
}

func TestHeaders(t *testing.T) {
	public := publicOf(keyOf(1))
	for name, opts := range map[string]*jose.SignerOptions{
		"a key in the header": {EmbedJWK: true},
		"another member":      (&jose.SignerOptions{}).WithHeader("x5u", "https://203.0.113.1/"),
		"critical extension":  (&jose.SignerOptions{}).WithHeader("crit", []string{"exp"}).WithHeader("exp", 1),
	} {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: keyOf(1), KeyID: KeyID(public)}}, opts)
		if err != nil {
			t.Fatal(err)
		}
		j, err := signer.Sign([]byte(record("a", 1)))
		if err != nil {
			t.Fatal(err)
		}
		text, err := j.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		if got := offer(newSet(), Offer{Raw: []byte(text)}, start); !strings.HasPrefix(got, "refused") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if private, err := ReadKey([]byte(`{"kty":"OKP","crv":"Ed25519","x":"` + PublicText(public) + `"}`)); err == nil {
		t.Errorf("a public key was read as a private one: %v", private)
	}
	jwk, made, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	private, err := ReadKey(jwk)
	if err != nil || !publicOf(private).Equal(made) {
		t.Errorf("the new key cannot be read: %v", err)
	}
}

func TestVersions(t *testing.T) {
	s := newSet()
	last := ""
	for _, step := range []struct {
		offer Offer
		want  string
		hash  bool // changes
	}{
		{sign(t, record("a", 2), 1), "taken", true},
		{sign(t, record("a", 2), 1), "", false}, // read again
		{sign(t, record("a", 2, `"reason":"another"`), 1), "refused stale_version", false},
		{sign(t, record("a", 1), 1), "refused stale_version", false},
		{sign(t, record("a", 3), 1), "taken", true},
		{sign(t, record("a", 4, `"scope":{"site":"hq"}`), 2), "refused not_allowed", false}, // it must not replace one for all sites
		{sign(t, record("a", 4, `"kind":"retire"`, `"rules":-`), 1), "taken", true},
		{sign(t, record("a", 3), 1), "refused stale_version", false}, // the retired one must not come back
		{sign(t, record("a", 5, `"expires":"2026-03-02T00:00:05Z"`), 1), "taken", true},
		{sign(t, record("a", 5, `"expires":"2026-03-02T00:00:05Z"`), 1), "", false},
		{sign(t, record("b", 1), 1), "taken", true},
		{sign(t, record("c", 1), 1), "taken", true},
		{sign(t, record("d", 1), 1), "taken", true},
		{sign(t, record("e", 1), 1), "refused table_full", false},
	} {
		if got := offer(s, step.offer, start); got != step.want {
			t.Errorf("%q, want %q", got, step.want)
		}
		if (s.Hash() != last) != step.hash {
			t.Errorf("hash %q after %q", s.Hash(), last)
		}
		last = s.Hash()
	}
	out, changed := s.Tick(start + 5*second)
	if len(out) != 1 || out[0].Result != Ended || out[0].ID != "a" || !changed || s.Hash() == last {
		t.Errorf("at the end of a policy: %+v %v", out, changed)
	}
	if got := offer(s, sign(t, record("e", 1), 1), start+6*second); got != "taken" { // in the place of the expired one
		t.Errorf("the place of an expired policy: %q", got)
	}
	if c := s.Counts(); c.Taken != 8 || c.Refused != 5 || c.Active != 4 {
		t.Errorf("%+v", c)
	}
}

func TestRecords(t *testing.T) {
	device := `"device":{"ip":"10.0.0.1"}`
	for name, fields := range map[string][]string{
		"allow without a device":       {`"kind":"allow"`, `"rules":-`, `"match":{"port":443}`},
		"allow without a match":        {`"kind":"allow"`, `"rules":-`, device},
		"suppress without anything":    {`"rules":-`},
		"unknown rule":                 {`"rules":["D99"]`},
		"expect without a value":       {`"kind":"expect"`, `"rules":-`, device},
		"a value without expect":       {`"expect":"silent"`},
		"expect with rules":            {`"kind":"expect"`, `"expect":"silent"`, device},
		"arm with hours":               {`"kind":"arm"`, `"rules":-`, device, `"hours":"mon-fri 08-18"`},
		"two devices":                  {`"device":{"ip":"10.0.0.1","mac":"00:00:00:00:00:01"}`},
		"no device":                    {`"device":{}`},
		"bad address":                  {`"device":{"ip":"10.0.0.300"}`},
		"bits behind the prefix":       {`"device":{"prefix":"10.0.0.1/8"}`},
		"unknown role":                 {`"device":{"role":"toaster"}`},
		"bad hours":                    {`"hours":"always or so"`},
		"ports of icmp":                {`"match":{"proto":"icmp","port":1}`},
		"peer of many owners":          {`"match":{"peer":"*.co.uk"}`},
		"expires before it is created": {`"expires":"2026-02-01T00:00:00Z"`},
		"unknown member":               {`"comment":"x"`},
		"no time":                      {`"created":"2026-13-01T00:00:00Z"`},
	} {
		if _, err := Parse([]byte(record("a", 1, fields...))); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %v", name, err)
		}
	}
	p, err := Parse([]byte(record("a", 1, `"kind":"allow"`, `"rules":-`, device, `"match":{"proto":"tcp","port":443,"app":"tls","peer":"*.backup.example"}`, `"hours":"mon-fri 00-06"`)))
	if err != nil || p.entry() != "out tcp 443 tls to *.backup.example only mon-fri 00-06 (policy a)" {
		t.Errorf("%v %v", err, p)
	}
}

func TestRead(t *testing.T) {
	one, two := string(sign(t, record("a", 1), 9).Raw), string(sign(t, record("b", 1), 1).Raw)
	for _, c := range []struct {
		name, text string
		n          int
		unsigned   bool
		err        string
	}{
		{"lines", "# two\n" + one + "\n\n" + two + "\n", 2, false, ""},
		{"records", record("a", 1) + "\n\n" + strings.ReplaceAll(record("b", 1), ",", ",\n"), 2, true, ""},
		{"nothing", "\n# nothing\n", 0, false, "no policy"},
		{"text", one + "\nhello\n", 0, false, "line 2: "},
		{"signed, but no record", string(sign(t, `{}`, 1).Raw), 0, false, "line 1: "},
		{"half a record", record("a", 1) + "\n{\"schema\":", 0, true, "policy 2"},
	} {
		all, err := Read(strings.NewReader(c.text))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || len(all) != c.n || all[0].Unsigned != c.unsigned {
			t.Errorf("%s: %d policies, %v", c.name, len(all), err)
		}
	}
}

// restart returns a set that continues from the saved state of s.
func restart(t *testing.T, s *Set, keys []config.PolicyKey) *Set {
	t.Helper()
	var b snapshot.Batch
	for s.drain(&b, 1) > 0 {
	}
	saved := map[string][]byte{}
	if err := snapshot.Changes(b.Bytes(), func(c snapshot.Change) error {
		if saved[string(c.Key)] = c.Value; c.Value == nil {
			delete(saved, string(c.Key))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	n := New(Config{Sensor: "probe-1", Site: "hq", Keys: keys, Max: 4})
	if bad := n.Part().Restore(func(yield func(k, v []byte) bool) {
		for k, v := range saved {
			if !yield([]byte(k), v) {
				return
			}
		}
	}); bad != 0 {
		t.Fatalf("%d records were not read", bad)
	}
	return n
}

func TestRestart(t *testing.T) {
	s := newSet()
	s.Part()
	offer(s, sign(t, record("a", 2), 1), start)
	offer(s, sign(t, record("b", 1, `"scope":{"site":"hq"}`), 2), start)
	offer(s, sign(t, record("c", 7, `"kind":"retire"`, `"rules":-`), 1), start)
	hash := s.Hash()
	offer(s, Offer{Raw: []byte(record("d", 1)), Unsigned: true}, start)
	n := restart(t, s, trusted())
	if n.Hash() != hash || len(n.Active()) != 2 {
		t.Errorf("after a restart: hash %s, %d policies; was %s", n.Hash(), len(n.Active()), hash)
	}
	for _, o := range []struct {
		Offer
		want string
	}{{sign(t, record("a", 2), 1), ""}, {sign(t, record("a", 1), 1), "refused stale_version"}, {sign(t, record("c", 6), 1), "refused stale_version"}} {
		if got := offer(n, o.Offer, start); got != o.want {
			t.Errorf("after a restart: %q, want %q", got, o.want)
		}
	}
	less := restart(t, n, trusted()[:0])
	if out, changed := less.Tick(start); changed != (len(out) > 0) || len(less.Active()) != 0 {
		t.Errorf("without keys: %d active, %+v", len(less.Active()), out)
	}
	n.Reconfigure(trusted()[:1])
	if out, _ := n.Tick(start); len(out) != 1 || out[0].Result != Dropped || out[0].ID != "b" || len(n.Active()) != 1 {
		t.Errorf("after a key was removed: %+v", out)
	}
}

// FuzzOffer checks that nothing is taken that no trusted key has signed, and that nothing crashes.
func FuzzOffer(f *testing.F) {
	f.Add(sign(f, record("a", 1), 9).Raw)
	f.Add([]byte(record("a", 1)))
	f.Add([]byte("eyJhbGciOiJFZERTQSJ9.e30."))
	mutate.Fuzz(f, func(t *testing.T, raw []byte) {
		if got := offer(newSet(), Offer{Raw: raw}, start); strings.Contains(got, "taken") {
			t.Errorf("%q was taken", raw)
		}
		_, _ = Read(strings.NewReader(string(raw)))
		if p, err := Parse(raw); err == nil && p.Kind == schemas.PolicyAllow {
			_, _, _ = p.entry(), p.What(), p.DeviceText()
		}
	})
}
