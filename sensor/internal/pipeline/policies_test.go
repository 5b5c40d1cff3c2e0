// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/policy"
	"stillwatch/sensor/internal/state"
)

func policyKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string([]byte{seed}), ed25519.SeedSize)))
}

// quietCamera has the settings of a sensor that expects a camera to be silent and trusts one key.
func quietCamera() *config.Config {
	set := config.Defaults()
	set.Silent = []netip.Prefix{netip.PrefixFrom(inside(camera), 32)}
	set.PolicyKeys = []config.PolicyKey{{Name: "hq", Public: policyKey(1).Public().(ed25519.PublicKey)}}
	return set
}

// signedPolicy returns a policy about the camera, signed with the key of a seed.
func signedPolicy(t *testing.T, seed byte, id string, version int, fields string) policy.Offer {
	t.Helper()
	record := fmt.Sprintf(`{"schema":"stillwatch.policy/1","id":%q,"version":%d,"device":{"ip":%q},"reason":"test","author":"a","created":"2026-03-01T00:00:00Z",%s}`,
		id, version, inside(camera), fields)
	s, err := policy.Sign([]byte(record), policyKey(seed))
	if err != nil {
		t.Fatal(err)
	}
	return policy.Offer{Raw: []byte(s)}
}

// calls is a day on which the camera calls a known server and an unknown one.
func calls(t *testing.T) []timed {
	w := &wire{t: t}
	for _, h := range []int{0, 1, 6, 8} {
		at := time.Duration(h) * time.Hour
		w.call(at+time.Minute, camera, "api.cloudcam.example", "203.0.113.5:443")
		w.call(at+2*time.Minute, camera, "", "198.51.100.77:8443")
	}
	return w.all
}

// raised replays frames and returns the records, and what there is to say about each alert at the end: "D01 198.51.100.77 medium", with the policy that
// suppresses it.
func raised(t *testing.T, frames []timed, cfg pipeline.Config) (records, alerts, outcomes []string) {
	t.Helper()
	cfg.Replay = true
	lastOf := map[string]*schemas.Alert{}
	var order []string
	r, err := pipeline.New(cfg, &source{frames, 64}, pipeline.Output{
		Alert: func(a *schemas.Alert) error {
			line, err := schemas.AppendAlert(nil, a)
			if err == nil {
				err = schemas.Validate(schemas.KindAlert, line)
			}
			records = append(records, string(line))
			if lastOf[a.ID] == nil {
				order = append(order, a.ID)
			}
			lastOf[a.ID] = a
			return err
		},
		Policy: func(o *policy.Outcome) {
			outcomes = append(outcomes, fmt.Sprintf("%s %d %s", o.ID, o.Result, o.Code))
		},
	})
	if err == nil {
		err = r.Run(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range order {
		a := lastOf[id]
		text := a.Rule.ID
		if a.Peer != nil {
			text += " " + a.Peer.IP.String()
		}
		if a.SuppressedBy != "" {
			text += " by " + a.SuppressedBy
		}
		if a.Rule.ID == "D01" || a.Rule.ID == "D44" {
			alerts = append(alerts, text)
		}
	}
	return records, alerts, outcomes
}

func TestPolicies(t *testing.T) {
	const cloud, other = "D01 203.0.113.5", "D01 198.51.100.77"
	allow := `"kind":"allow","match":{"direction":"out","proto":"tcp","port":443,"peer":"api.cloudcam.example"}`
	for _, c := range []struct {
		name   string
		offers []policy.Offer
		want   []string
	}{
		{"none", nil, []string{cloud, other}},
		{"allow", []policy.Offer{signedPolicy(t, 1, "p", 1, allow)}, []string{other}},
		{"allow at other hours", []policy.Offer{signedPolicy(t, 1, "p", 1, allow+`,"hours":"sat-sat 00-24"`)}, []string{cloud, other}},
		{"allow, and take back", []policy.Offer{signedPolicy(t, 1, "p", 1, allow),
			{Raw: []byte(`{"schema":"stillwatch.policy/1","id":"p","version":2,"kind":"retire","reason":"r","author":"a","created":"2026-03-01T00:00:00Z"}`), Unsigned: true}},
			[]string{cloud, other}},
		{"allow until it expires", []policy.Offer{signedPolicy(t, 1, "p", 1, allow+`,"expires":"2026-03-02T12:00:00Z"`)}, []string{other, cloud}},
		{"expect", []policy.Offer{signedPolicy(t, 1, "p", 1, `"kind":"expect","expect":"normal"`)}, nil},
		{"suppress", []policy.Offer{signedPolicy(t, 1, "p", 1, `"kind":"suppress","rules":["D01"],"match":{"peer":"198.51.100.0/24"}`)}, []string{cloud, other + " by p"}},
		{"suppress by name", []policy.Offer{signedPolicy(t, 1, "p", 1, `"kind":"suppress","match":{"peer":"*.cloudcam.example"}`)}, []string{cloud + " by p", other}},
		{"suppress another rule", []policy.Offer{signedPolicy(t, 1, "p", 1, `"kind":"suppress","rules":["D18"]`)}, []string{cloud, other}},
		{"of another key", []policy.Offer{signedPolicy(t, 2, "p", 1, allow)}, []string{"D44", cloud, other}},
	} {
		cfg := pipeline.Config{Settings: quietCamera(), Policies: c.offers, Shards: 1}
		frames := calls(t)
		records, alerts, _ := raised(t, frames, cfg)
		if !slices.Equal(alerts, c.want) {
			t.Errorf("%s: %q, want %q", c.name, alerts, c.want)
		}
		for _, n := range []int{2, 5} {
			cfg.Shards = n
			if again, _, _ := raised(t, frames, cfg); !slices.Equal(again, records) {
				t.Errorf("%s: %d shards give other records", c.name, n)
			}
		}
		for _, r := range records {
			active := c.name != "none" && c.name != "of another key" && c.name != "allow, and take back"
			if strings.Contains(r, `"policy_hash"`) != active && c.name != "allow until it expires" {
				t.Errorf("%s: %s", c.name, r)
			}
		}
	}
}

// TestPoliciesAreSaved checks that a sensor keeps what it was given in its state: it needs nobody to give it again, and it takes no older version.
func TestPoliciesAreSaved(t *testing.T) {
	frames, file := calls(t), t.TempDir()+"/state"
	allow := `"kind":"allow","match":{"port":443,"peer":"api.cloudcam.example"}`
	unsigned := policy.Offer{Raw: []byte(`{"schema":"stillwatch.policy/1","id":"q","version":1,"kind":"suppress","rules":["D01"],"reason":"r","author":"a","created":"2026-03-01T00:00:00Z"}`), Unsigned: true}
	var hashes []string
	for i, c := range []struct {
		frames []timed
		offers []policy.Offer
		want   []string
	}{
		{frames[:len(frames)/2], []policy.Offer{signedPolicy(t, 1, "p", 2, allow), unsigned}, []string{"p 0 ", "q 0 "}},
		{frames[len(frames)/2:], []policy.Offer{signedPolicy(t, 1, "p", 2, allow), signedPolicy(t, 1, "p", 1, allow)}, []string{"p 1 stale_version"}},
	} {
		s, err := state.Open(file, state.Options{Sensor: "s", Site: "local", Version: "1"})
		if err != nil {
			t.Fatal(err)
		}
		records, alerts, outcomes := raised(t, c.frames, pipeline.Config{Settings: quietCamera(), State: s, Policies: c.offers})
		if err := errors.Join(s.Close()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(outcomes, c.want) {
			t.Errorf("run %d: %q, want %q", i, outcomes, c.want)
		}
		if slices.ContainsFunc(alerts, func(a string) bool { return strings.Contains(a, "203.0.113.5") }) {
			t.Errorf("run %d: %q", i, alerts)
		}
		_, hash, _ := strings.Cut(records[len(records)-1], `"policy_hash":"`)
		hashes = append(hashes, hash[:16])
	}
	if hashes[0] == hashes[1] {
		t.Error("the unsigned policy was saved")
	}
}

// TestArmByPolicy checks that a policy arms a contract when it has been learned.
func TestArmByPolicy(t *testing.T) {
	frames := learnedOffice(t, 16, intrude, 15)
	arm := signedPolicy(t, 1, "p", 1, `"kind":"arm"`)
	set := config.Defaults()
	set.PolicyKeys = quietCamera().PolicyKeys
	_, before, _ := raised(t, frames, pipeline.Config{Settings: set})
	_, after, _ := raised(t, frames, pipeline.Config{Settings: set, Policies: []policy.Offer{arm}})
	isThere := func(all []string) bool {
		return slices.ContainsFunc(all, func(a string) bool { return strings.HasPrefix(a, "D01") })
	}
	if isThere(before) || !isThere(after) {
		t.Errorf("D01 without the policy: %q, with it: %q", before, after)
	}
	x := teach(t, frames, pipeline.Config{Settings: set, Policies: []policy.Offer{arm}})
	if c := x.learned[camera]; c.State != contract.Armed || !c.ByAnalyst {
		t.Errorf("the contract of the camera: %s", c.State)
	}
	if c := x.learned[server]; c.State == contract.Learning || c.ByAnalyst {
		t.Errorf("the contract of the server: %s, by an analyst: %v", c.State, c.ByAnalyst)
	}
}
