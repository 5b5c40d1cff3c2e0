// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"stillwatch/internal/buildinfo"
	"stillwatch/sensor/internal/terminal"
)

type versionCmd struct{}

// Run prints the version of the program.
func (versionCmd) Run(t *terminal.Terminal, b buildinfo.Info) error {
	_, err := fmt.Fprintf(t.Out, "%s %s\n", program, b)
	return err
}
