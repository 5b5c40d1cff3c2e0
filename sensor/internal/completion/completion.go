// SPDX-License-Identifier: Apache-2.0

// Package completion writes completion scripts for bash, zsh and fish from the model of a command line.
package completion

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Write writes the completion script of a shell, bash, zsh or fish, for the command line below root.
func Write(w io.Writer, shell string, root *kong.Node) error {
	p := program{name: root.Name, function: "_" + strings.ReplaceAll(root.Name, "-", "_"), commands: commands(root, nil)}
	switch shell {
	case "bash":
		return p.bash(w)
	case "zsh":
		return p.zsh(w)
	}
	return p.fish(w)
}

// program is the program that the script completes.
type program struct {
	name     string
	function string // name of the shell function
	commands []command
}

// command is a command or subcommand: the words that lead to it and what may follow it.
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

// commands lists the commands of the model, the root first. A command has the flags of the commands above it, too.
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

// bash writes a function that finds the command among the words before the cursor and offers what may follow it.
func (p program) bash(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# bash completion of " + p.name + "\n" + p.function + "() {\n" +
		"  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at= i\n" +
		"  for ((i = 1; i < COMP_CWORD; i++)); do\n    case \"$at ${COMP_WORDS[i]}\" in\n")
	for _, c := range p.commands[1:] {
		fmt.Fprintf(&b, "      ' %s') at=' %s' ;;\n", strings.Join(c.path, " "), strings.Join(c.path, " "))
	}
	b.WriteString("    esac\n  done\n  COMPREPLY=()\n  case \"$at $prev\" in\n")
	for _, c := range p.commands {
		for _, f := range c.flags {
			bashFlag(&b, c, f)
		}
	}
	b.WriteString("  esac\n  case \"$at\" in\n")
	for _, c := range p.commands {
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
	b.WriteString("  esac\n}\ncomplete -F " + p.function + " " + p.name + "\n")
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

// zsh writes a function that passes the flags and arguments of each command to _arguments.
func (p program) zsh(w io.Writer) error {
	var b strings.Builder
	b.WriteString("#compdef " + p.name + "\n" + p.function + "() {\n  local at= i\n" +
		"  for ((i = 2; i < CURRENT; i++)); do\n    case \"$at ${words[i]}\" in\n")
	for _, c := range p.commands[1:] {
		fmt.Fprintf(&b, "      ' %s') at=' %s' ;;\n", strings.Join(c.path, " "), strings.Join(c.path, " "))
	}
	b.WriteString("    esac\n  done\n  case \"$at\" in\n")
	for _, c := range p.commands {
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
	b.WriteString("  esac\n}\ncompdef " + p.function + " " + p.name + "\n")
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

// zshText escapes the characters that _arguments interprets.
func zshText(s string) string { return strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(s) }

// fish writes one line for each word that may follow a command.
func (p program) fish(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# fish completion of " + p.name + "\ncomplete -c " + p.name + " -f\n")
	help := map[string]string{}
	for _, c := range p.commands {
		help[strings.Join(c.path, " ")] = c.help
	}
	for _, c := range p.commands {
		here := "__fish_use_subcommand"
		if len(c.path) > 0 {
			here = "__fish_seen_subcommand_from " + c.path[len(c.path)-1]
		}
		for _, s := range c.subs {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s -d %s\n", p.name, quote(here), s, quote(help[strings.Join(append(append([]string(nil), c.path...), s), " ")]))
		}
		if len(c.values) > 0 {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n", p.name, quote(here), quote(strings.Join(c.values, " ")))
		}
		if c.files {
			fmt.Fprintf(&b, "complete -c %s -n %s -F\n", p.name, quote(here))
		}
		for _, f := range c.flags {
			fmt.Fprintf(&b, "complete -c %s -n %s -l %s -d %s%s\n", p.name, quote(here), f.name[2:], quote(f.help), fishValue(f))
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

// quote returns s as one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
