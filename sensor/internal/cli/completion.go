// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/alecthomas/kong"

	"stillwatch/sensor/internal/completion"
	"stillwatch/sensor/internal/terminal"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Shell: bash, zsh or fish."`
}

// Help shows how the script is used.
func (completionCmd) Help() string {
	return `Examples:

    . <(stillwatch-sensor completion bash)
    stillwatch-sensor completion zsh >"${fpath[1]}/_stillwatch-sensor"
    stillwatch-sensor completion fish >~/.config/fish/completions/stillwatch-sensor.fish`
}

// Run prints the script.
func (c completionCmd) Run(t *terminal.Terminal, k *kong.Kong) error {
	return completion.Write(t.Out, c.Shell, k.Model.Node)
}
