// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"stillwatch/internal/testlab/wording"
)

// TestCommandsInTheDocumentation parses each command line that the documentation shows: its commands and flags exist, with the right number
// of arguments.
func TestCommandsInTheDocumentation(t *testing.T) {
	for _, c := range wording.Commands(t, program) {
		var line commandLine
		parser, err := kong.New(&line, options()...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse(c.Args)
		unknown := err != nil && (strings.Contains(err.Error(), "unknown flag") || strings.Contains(err.Error(), "unexpected argument"))
		if unknown || err != nil && !c.Inline { // a sentence may leave out what the command also needs, and write NAME for a value
			t.Errorf("%s: %s: %v", c.Where, strings.Join(c.Args, " "), err)
		}
	}
}
