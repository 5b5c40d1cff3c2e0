// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Shell to write for: ${enum}."`
}

// Help says how the script is used.
func (completionCmd) Help() string {
	return `Examples:

    . <(stillwatch-sensor completion bash)
    stillwatch-sensor completion zsh >"${fpath[1]}/_stillwatch-sensor"
    stillwatch-sensor completion fish >~/.config/fish/completions/stillwatch-sensor.fish`
}

// Run prints the script.
func (c completionCmd) Run(t *terminal, k *kong.Kong) error {
	nodes := commands(k.Model.Node, nil)
	switch c.Shell {
	case "bash":
		return bashCompletion(t.out, nodes)
	case "zsh":
		return zshCompletion(t.out, nodes)
	}
	return fishCompletion(t.out, nodes)
}

// command is one place on the command line: the words that lead to it and what may follow.
type command struct {
	path   []string // "config", "check"
	help   string
	subs   []string
	flags  []option
	values []string // of the argument, if it is one of a few
	files  bool     // the argument is a file
}

type option struct {
	name, help string
	values     []string // one of a few
	file, text bool     // takes a file, takes something else
}

// commands walks the model of the command line, the root first. Flags of a command are those of all above it as well.
func commands(n *kong.Node, above []string) []command {
	c := command{path: above, help: n.Help}
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			c.flags = append(c.flags, flagOf(f))
		}
	}
	for _, p := range n.Positional {
		c.values, c.files = enumOf(p), p.Enum == ""
	}
	var below []command
	for _, child := range n.Children {
		c.subs = append(c.subs, child.Name)
		below = append(below, commands(child, append(append([]string(nil), above...), child.Name))...)
	}
	return append([]command{c}, below...)
}

func flagOf(f *kong.Flag) option {
	return option{name: "--" + f.Name, help: f.Help, values: enumOf(f.Value),
		file: f.PlaceHolder == "FILE", text: !f.IsBool() && f.PlaceHolder != "FILE"}
}

func enumOf(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	return strings.Split(v.Enum, ",")
}

func (c command) flagNames() (all []string) {
	for _, f := range c.flags {
		all = append(all, f.name)
	}
	return all
}

// bashCompletion finds the command among the words before the cursor, and offers what may follow it.
func bashCompletion(w io.Writer, all []command) error {
	var b strings.Builder
	b.WriteString("# bash completion of " + program + "\n_stillwatch_sensor() {\n" +
		"  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at= i\n" +
		"  for ((i = 1; i < COMP_CWORD; i++)); do\n    case \"$at ${COMP_WORDS[i]}\" in\n")
	for _, c := range all[1:] {
		fmt.Fprintf(&b, "      ' %s') at=' %s' ;;\n", strings.Join(c.path, " "), strings.Join(c.path, " "))
	}
	b.WriteString("    esac\n  done\n  COMPREPLY=()\n  case \"$at $prev\" in\n")
	for _, c := range all {
		for _, f := range c.flags {
			bashFlag(&b, c, f)
		}
	}
	b.WriteString("  esac\n  case \"$at\" in\n")
	for _, c := range all {
		words := append(append(append([]string(nil), c.subs...), c.values...), c.flagNames()...)
		files := ""
		if c.files {
			files = "; compopt -o filenames; COMPREPLY+=($(compgen -f -- \"$cur\"))"
		}
		path := ""
		if len(c.path) > 0 {
			path = " " + strings.Join(c.path, " ")
		}
		fmt.Fprintf(&b, "    '%s') COMPREPLY=($(compgen -W '%s' -- \"$cur\"))%s ;;\n", path, strings.Join(words, " "), files)
	}
	b.WriteString("  esac\n}\ncomplete -F _stillwatch_sensor " + program + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func bashFlag(b *strings.Builder, c command, f option) {
	path := strings.Join(append([]string{""}, c.path...), " ")
	switch {
	case len(f.values) > 0:
		fmt.Fprintf(b, "    '%s %s') COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", path, f.name, strings.Join(f.values, " "))
	case f.file:
		fmt.Fprintf(b, "    '%s %s') compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", path, f.name)
	case f.text:
		fmt.Fprintf(b, "    '%s %s') return ;;\n", path, f.name)
	}
}

// zshCompletion hands the words to _arguments, command by command.
func zshCompletion(w io.Writer, all []command) error {
	var b strings.Builder
	b.WriteString("#compdef " + program + "\n_stillwatch_sensor() {\n  local at= i\n" +
		"  for ((i = 2; i < CURRENT; i++)); do\n    case \"$at ${words[i]}\" in\n")
	for _, c := range all[1:] {
		fmt.Fprintf(&b, "      ' %s') at=' %s' ;;\n", strings.Join(c.path, " "), strings.Join(c.path, " "))
	}
	b.WriteString("    esac\n  done\n  case \"$at\" in\n")
	for _, c := range all {
		path := ""
		if len(c.path) > 0 {
			path = " " + strings.Join(c.path, " ")
		}
		fmt.Fprintf(&b, "    '%s') _arguments", path)
		for _, f := range c.flags {
			fmt.Fprintf(&b, " %s", quote("*"+f.name+"["+zshText(f.help)+"]"+zshValue(f)))
		}
		switch {
		case len(c.subs) > 0:
			fmt.Fprintf(&b, " %s", quote("*:command:("+strings.Join(c.subs, " ")+")"))
		case len(c.values) > 0:
			fmt.Fprintf(&b, " %s", quote("*:value:("+strings.Join(c.values, " ")+")"))
		case c.files:
			b.WriteString(" '*:capture:_files'")
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString("  esac\n}\ncompdef _stillwatch_sensor " + program + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func zshValue(f option) string {
	switch {
	case len(f.values) > 0:
		return ":value:(" + strings.Join(f.values, " ") + ")"
	case f.file:
		return ":file:_files"
	case f.text:
		return ":value:"
	}
	return ""
}

// zshText escapes what _arguments would read.
func zshText(s string) string { return strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(s) }

// fishCompletion writes one line for each word that may come.
func fishCompletion(w io.Writer, all []command) error {
	var b strings.Builder
	b.WriteString("# fish completion of " + program + "\ncomplete -c " + program + " -f\n")
	help := map[string]string{}
	for _, c := range all {
		help[strings.Join(c.path, " ")] = c.help
	}
	for _, c := range all {
		here := "__fish_use_subcommand"
		if len(c.path) > 0 {
			here = "__fish_seen_subcommand_from " + c.path[len(c.path)-1]
		}
		for _, s := range c.subs {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s -d %s\n", program, quote(here), s, quote(help[strings.Join(append(append([]string(nil), c.path...), s), " ")]))
		}
		if len(c.values) > 0 {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n", program, quote(here), quote(strings.Join(c.values, " ")))
		}
		if c.files {
			fmt.Fprintf(&b, "complete -c %s -n %s -F\n", program, quote(here))
		}
		for _, f := range c.flags {
			fmt.Fprintf(&b, "complete -c %s -n %s -l %s -d %s%s\n", program, quote(here), f.name[2:], quote(f.help), fishValue(f))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func fishValue(f option) string {
	switch {
	case len(f.values) > 0:
		return " -x -a " + quote(strings.Join(f.values, " "))
	case f.file:
		return " -r -F"
	case f.text:
		return " -x"
	}
	return ""
}

// quote gives one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
