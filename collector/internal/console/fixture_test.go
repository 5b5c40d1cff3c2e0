// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/store"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

const password = "correct horse battery"

// fixture is a console with an empty database and one user per role, with the name of the role.
type fixture struct {
	store *store.SQLite
	auth  *auth.Auth
	con   *Console
	srv   *httptest.Server
	path  string // of the database
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := store.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a := auth.New(auth.Config{Store: s, Cost: auth.Cost{MemoryKiB: 64, Passes: 1, Threads: 1}})
	for _, r := range auth.Roles() {
		if _, err := a.AddUser(ctx, "test", string(r), password, r); err != nil {
			t.Fatal(err)
		}
	}
	con, err := New(Config{Store: s, Auth: a, Version: "test", Public: map[string]http.Handler{"GET /healthz": http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(con)
	t.Cleanup(func() { con.Close(); srv.Close() })
	return &fixture{store: s, auth: a, con: con, srv: srv, path: path}
}

// as returns a client that is signed in as the user of a role.
func (b *fixture) as(t testing.TB, role auth.Role) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	r, err := c.PostForm(b.srv.URL+"/signin", url.Values{"name": {string(role)}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK || r.Request.URL.Path != "/" {
		t.Fatalf("sign-in as %s: %s at %s", role, r.Status, r.Request.URL)
	}
	return c
}

// get returns the body of a page, which must exist.
func (b *fixture) get(t testing.TB, c *http.Client, path string) string {
	t.Helper()
	status, body := b.fetch(t, c, path)
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d: %.300s", path, status, body)
	}
	return body
}

func (b *fixture) fetch(t testing.TB, c *http.Client, path string) (int, string) {
	t.Helper()
	r, err := c.Get(b.srv.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// apply stores records, encoded as by the sensor.
func (b *fixture) apply(t testing.TB, alerts []*schemas.Alert, devices []*schemas.Device) {
	t.Helper()
	var batch store.Batch
	for _, a := range alerts {
		line, err := schemas.AppendAlert(nil, a)
		if err != nil {
			t.Fatal(err)
		}
		batch.Alerts = append(batch.Alerts, store.AlertRecord{Alert: a, JSON: line})
	}
	for _, d := range devices {
		line, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		batch.Devices = append(batch.Devices, store.DeviceRecord{Device: d, JSON: line})
	}
	if _, err := b.store.Apply(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
}

// tell stores the records of incidents.
func (b *fixture) tell(t testing.TB, incidents []*schemas.Incident) {
	t.Helper()
	var batch store.Batch
	for _, i := range incidents {
		line, err := schemas.AppendIncident(nil, i)
		if err != nil {
			t.Fatal(err)
		}
		batch.Incidents = append(batch.Incidents, store.IncidentRecord{Incident: i, JSON: line})
	}
	if _, err := b.store.Apply(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
}

// story holds the records of the sensor for a story capture.
type story struct {
	alerts    []*schemas.Alert
	incidents []*schemas.Incident
	devices   []*schemas.Device
}

// buildDir is the folder for the sensor, which is built once for all tests of the package.
var buildDir string

var sensorBinary = sync.OnceValues(func() (string, error) { return testneed.Program(buildDir, "sensor") })

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if buildDir, err = os.MkdirTemp("", "stillwatch-console-test"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(buildDir)
	return m.Run()
}

// replay runs the sensor on a story capture.
func replay(t testing.TB, name string) story {
	t.Helper()
	bin, err := sensorBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir, out := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", name), t.TempDir()
	cmd := exec.Command(bin, "replay", "--inventory", filepath.Join(dir, "inventory.yaml"), "--alerts", filepath.Join(out, "alerts"),
		"--incidents", filepath.Join(out, "incidents"), "--devices", filepath.Join(out, "devices"), filepath.Join(dir, "input.pcap"))
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("replay of %s: %v: %s", name, err, text)
	}
	s := story{
		alerts: lines[schemas.Alert](t, filepath.Join(out, "alerts")), incidents: lines[schemas.Incident](t, filepath.Join(out, "incidents")),
		devices: lines[schemas.Device](t, filepath.Join(out, "devices")),
	}
	if len(s.alerts) == 0 || len(s.devices) == 0 {
		t.Fatalf("story %s has %d alerts and %d devices", name, len(s.alerts), len(s.devices))
	}
	return s
}

func lines[T any](t testing.TB, name string) (out []*T) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		v := new(T)
		if err := json.Unmarshal(sc.Bytes(), v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// alertID returns the n-th id in the form of the schema.
func alertID(n int) string {
	const digits = "abcdefghijklmnopqrstuvwxyz234567"
	id := bytes.Repeat([]byte{'a'}, 26)
	for i := 25; n > 0; i, n = i-1, n/32 {
		id[i] = digits[n%32]
	}
	return string(id)
}

// at returns the time that many minutes after a fixed time.
func at(minutes int) schemas.Time {
	return schemas.TimeOf(time.Date(2026, 3, 10, 3, 10, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute))
}
