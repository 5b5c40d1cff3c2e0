// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/sample"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// settings of schemathesis: ids that exist, so that more than 404 is seen. A cursor of another list and a time range that ends
// before it begins are 400, which no schema of a parameter can express.
const schemathesisConfig = `
seed = 1

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "403", "404", "409"]

[[operations]]
include-path = "/api/v1/alerts/{id}"
parameters = { id = %[1]q }

[[operations]]
include-path = "/api/v1/alerts/{id}/revisions"
parameters = { id = %[1]q }

[[operations]]
include-path = "/api/v1/incidents/{id}"
parameters = { id = %[2]q }

[[operations]]
include-path = "/api/v1/devices/{key}"
parameters = { key = %[3]q }

[[operations]]
include-path = "/api/v1/devices/{key}/hours"
parameters = { key = %[3]q }

[[operations]]
include-path = "/api/v1/sensors/{id}/boots"
parameters = { id = %[4]q }
`

// TestSchemathesis sends the running API requests made from its OpenAPI document, valid and invalid ones: every answer must be one that the
// document describes, nothing invalid may be accepted, and no request may fail inside. The event stream, which does not end, is left out.
func TestSchemathesis(t *testing.T) {
	program := testneed.Command(t, "schemathesis")
	r := newRig(t, 0)
	all := make([]*schemas.Alert, 40)
	for n := range all {
		all[n] = sample.Alert(n)
	}
	r.apply(t, all...)
	dir := t.TempDir()
	config := filepath.Join(dir, "schemathesis.toml")
	first := all[0]
	text := fmt.Sprintf(schemathesisConfig, first.ID, first.IncidentID, first.Device.Key, first.Sensor.ID)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--config-file", config, "run", r.url+Base+"/openapi.json",
		"--header", "Authorization: Bearer "+r.tokens[auth.Admin], "--exclude-path", Base+"/events", "--max-examples", "25", "--no-color")
	cmd.Dir = dir // it keeps a cache in its working directory
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out[max(0, len(out)-1500):])
}
