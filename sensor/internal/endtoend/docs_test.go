// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/doctor"
)

// TestLinksOfThePages checks that the target of every link exists.
func TestLinksOfThePages(t *testing.T) {
	root := testneed.Root(t)
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".md") {
			return nil
		}
		for _, m := range link.FindAllStringSubmatch(read(t, path), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				rel, _ := filepath.Rel(root, path)
				t.Errorf("%s links to %s, which is not there", rel, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPagesNameEveryOption checks that docs/replay.md and docs/live.md are complete.
func TestPagesNameEveryOption(t *testing.T) {
	for command, name := range map[string]string{"replay": "replay.md", "run": "live.md"} {
		page := read(t, filepath.Join(testneed.Root(t), "docs", name))
		for _, option := range regexp.MustCompile(`--[a-z-]+`).FindAllString(run1(t, command, "--help").out, -1) {
			if option != "--help" && option != "--log-level" && option != "--no-color" && !strings.Contains(page, option) {
				t.Errorf("docs/%s does not name %s", name, option)
			}
		}
	}
	for _, option := range []string{"--log-level", "--no-color"} {
		if !strings.Contains(read(t, filepath.Join(testneed.Root(t), "docs", "replay.md")), option) {
			t.Errorf("docs/replay.md does not name %s", option)
		}
	}
}

// TestPageOfTheDoctorIsComplete checks that the page names every option and every check.
func TestPageOfTheDoctorIsComplete(t *testing.T) {
	page := read(t, filepath.Join(testneed.Root(t), "docs", "deploy", "doctor.md"))
	for _, option := range regexp.MustCompile(`--[a-z-]+`).FindAllString(run1(t, "doctor", "--help").out, -1) {
		if !slices.Contains([]string{"--help", "--log-level", "--no-color"}, option) && !strings.Contains(page, option) {
			t.Errorf("docs/deploy/doctor.md does not name %s", option)
		}
	}
	for _, check := range doctor.Checks() {
		if !strings.Contains(page, "\n| `"+check+"` |") {
			t.Errorf("docs/deploy/doctor.md has no row for %s", check)
		}
	}
}

// TestPageOfTheConfigurationHasTheDefaults parses the example in docs/configuration.md and compares its values with the defaults.
func TestPageOfTheConfigurationHasTheDefaults(t *testing.T) {
	page := read(t, filepath.Join(testneed.Root(t), "docs", "configuration.md"))
	m := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(page)
	if m == nil {
		t.Fatal("the page has no example")
	}
	got, err := config.Parse("configuration.md", []byte(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	if want := config.Defaults(); got.Limits != want.Limits || got.IdleDays != want.IdleDays {
		t.Errorf("the page says %+v, idle after %d days; the defaults are %+v, %d", got.Limits, got.IdleDays, want.Limits, want.IdleDays)
	}
}
