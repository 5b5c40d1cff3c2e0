// SPDX-License-Identifier: Apache-2.0

package customrule

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// Error is a mistake in an expression.
type Error struct {
	Line, Column int // in the expression, from 1
	Text         string
}

// Error returns the text without the position, which counts in the expression and not in its file.
func (e *Error) Error() string { return e.Text }

// compiled is a checked expression.
type compiled struct {
	program *vm.Program
	needs   Need
	step    Step
	cost    int
	fields  []Field
}

// MaxExpression is how many bytes an expression may have.
const MaxExpression = 16 << 10

// compile checks an expression against the short list of what is allowed, then its types.
func compile(text string, on On) (*compiled, error) {
	if len(text) > MaxExpression {
		return nil, fmt.Errorf("the expression has %d bytes, at most %d are allowed", len(text), MaxExpression)
	}
	options := []expr.Option{expr.Env(&Env{}), expr.AsBool(), expr.WarnOnAny(), expr.DisableAllBuiltins(), expr.MaxNodes(maxNodes),
		expr.Function("lower", lower, new(func(string) string)), expr.Function("cidr", cidr, new(func(string, ...string) bool))}
	tree, err := parse(text, options)
	if err != nil {
		return nil, at(text, err)
	}
	w := &walker{on: on}
	if w.walk(tree.Node); w.bad != nil {
		return nil, at(text, w.bad)
	}
	if w.cost > MaxCost {
		return nil, fmt.Errorf("the expression costs %d, at most %d is allowed: shorten its regular expressions, or compare with a list (in)", w.cost, MaxCost)
	}
	p, err := expr.Compile(text, options...)
	if err != nil {
		return nil, at(text, err)
	}
	return &compiled{p, w.needs, w.step, w.cost, w.fields}, nil
}

// parse returns the tree of an expression before it is optimized, which expr.Compile does not show.
func parse(text string, options []expr.Option) (*parser.Tree, error) {
	c := conf.CreateNew()
	for _, o := range options {
		o(c)
	}
	for name := range c.Disabled {
		delete(c.Builtins, name)
	}
	return parser.ParseWithConfig(text, c)
}

// at gives an error its position.
func at(text string, err error) error {
	var f *file.Error
	if !errors.As(err, &f) {
		return err
	}
	e := &Error{Line: 1, Column: 1, Text: strings.TrimSpace(f.Message)}
	for i, r := range []rune(text) {
		if i == f.From {
			break
		}
		if e.Column++; r == '\n' {
			e.Line, e.Column = e.Line+1, 1
		}
	}
	return e
}

// lower is the function of the same name.
func lower(args ...any) (any, error) { return strings.ToLower(args[0].(string)), nil }

// cidr is the function of the same name: whether an address is in one of some networks. walker.call has checked the networks.
func cidr(args ...any) (any, error) {
	a, err := netip.ParseAddr(args[0].(string))
	if err != nil {
		return false, nil // an empty address is in no network
	}
	for _, x := range args[1:] {
		if p, err := netip.ParsePrefix(x.(string)); err == nil && p.Contains(a.Unmap()) {
			return true, nil
		}
	}
	return false, nil
}

// walker checks that a tree has nothing but what is allowed, and adds up what it costs and needs.
type walker struct {
	on     On
	needs  Need
	step   Step
	cost   int
	fields []Field
	bad    *file.Error // the first mistake
}

func (w *walker) fail(n ast.Node, format string, args ...any) {
	if w.bad == nil {
		w.bad = &file.Error{Location: n.Location(), Message: fmt.Sprintf(format, args...)}
	}
}

// operators are the binary operators that cannot fail. in, matches and % have conditions of their own.
var operators = []string{"and", "&&", "or", "||", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "contains", "startsWith", "endsWith"}

func (w *walker) walk(n ast.Node) {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode:
	case *ast.UnaryNode:
		w.cost++
		w.walk(n.Node)
	case *ast.BinaryNode:
		w.binary(n)
	case *ast.MemberNode:
		if w.member(n) == reflect.Slice {
			w.fail(n, "a list of texts can only stand on the right of in")
		}
	case *ast.CallNode:
		w.call(n)
	case *ast.IdentifierNode:
		if w.known(n) {
			w.fail(n, "%s alone is no value: name one of its fields, %s", n.Value, strings.Join(fieldsOf(n.Value), ", "))
		}
	case *ast.ArrayNode:
		w.fail(n, "a list can only stand on the right of in")
	default:
		w.fail(n, "this is not available in rules; docs/rules.md lists the operators")
	}
}

func (w *walker) binary(n *ast.BinaryNode) {
	w.cost++
	w.walk(n.Left)
	switch n.Operator {
	case "in":
		w.in(n)
		return
	case "matches":
		w.matches(n)
		return
	case "%":
		if by, ok := n.Right.(*ast.IntegerNode); !ok || by.Value == 0 {
			w.fail(n.Right, "%% needs a number that is not 0 on its right")
		}
		return
	}
	if !slices.Contains(operators, n.Operator) {
		w.fail(n, "the operator %s is not available in rules; docs/rules.md lists the operators", n.Operator)
	}
	w.walk(n.Right)
}

// in checks the right side of in: literals, a range of numbers, or a list that is a field. Numbers need a field on the left: then the compiler
// makes a lookup or two comparisons of it, else it would compare with each item.
func (w *walker) in(n *ast.BinaryNode) {
	switch r := n.Right.(type) {
	case *ast.ArrayNode:
		if len(r.Nodes) == 0 {
			w.fail(r, "the list is empty")
			return
		}
		_, numbers := r.Nodes[0].(*ast.IntegerNode)
		for _, x := range r.Nodes {
			_, number := x.(*ast.IntegerNode)
			_, text := x.(*ast.StringNode)
			if !number && !text || number != numbers {
				w.fail(x, "a list can have only texts, or only whole numbers")
			}
		}
		if numbers {
			w.number(n)
		}
	case *ast.BinaryNode:
		from, okFrom := r.Left.(*ast.IntegerNode)
		to, okTo := r.Right.(*ast.IntegerNode)
		if r.Operator != ".." || !okFrom || !okTo || from.Value > to.Value || to.Value > maxRange {
			w.fail(r, "a range needs two whole numbers, at most %d, in rising order: 6660..6669", maxRange)
		}
		w.number(n)
	case *ast.MemberNode:
		if k := w.member(r); k != reflect.Slice && k != reflect.Invalid {
			w.fail(r, `in needs a list or a range on its right: ["a", "b"] or 6660..6669`)
		}
	default:
		w.fail(n.Right, `in needs a list or a range on its right: ["a", "b"] or 6660..6669`)
	}
}

// maxRange is the highest end of a range.
const maxRange = 1 << 16

// number checks that the left side of in is a field with a whole number.
func (w *walker) number(n *ast.BinaryNode) {
	if m, ok := n.Left.(*ast.MemberNode); !ok || w.member(m) != reflect.Int {
		w.fail(n.Left, "numbers on the right of in need a field with a whole number on the left: session.port in [23, 2323]")
	}
}

// matches checks the right side of matches: the pattern is compiled once, so it cannot come from the network.
func (w *walker) matches(n *ast.BinaryNode) {
	s, ok := n.Right.(*ast.StringNode)
	if !ok {
		w.fail(n.Right, "matches needs a pattern in quotes on its right")
		return
	}
	re, err := syntax.Parse(s.Value, syntax.Perl)
	if err != nil {
		w.fail(s, "wrong pattern: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		w.fail(s, "wrong pattern: %s", err)
		return
	}
	w.cost += len(prog.Inst)
}

// member checks a field, such as session.port, and returns the kind of its values; reflect.Invalid after a mistake.
func (w *walker) member(n *ast.MemberNode) reflect.Kind {
	group, ok := n.Node.(*ast.IdentifierNode)
	field, isText := n.Property.(*ast.StringNode)
	if !ok || !isText || n.Optional {
		w.fail(n, "only fields such as session.port are available in rules")
		return reflect.Invalid
	}
	if !w.known(group) {
		return reflect.Invalid
	}
	for k, g := range groups() {
		for _, f := range g.fields() {
			if g.name == group.Value && f.Tag.Get("expr") == field.Value {
				w.needs |= needOf(group.Value, field.Value)
				w.step = max(w.step, stepOf(group.Value, field.Value))
				w.read(Field{group.Value + "." + field.Value, append([]int{k}, f.Index...)})
				return f.Type.Kind()
			}
		}
	}
	w.fail(n.Property, "%s has no field %q; its fields are %s", group.Value, field.Value, strings.Join(fieldsOf(group.Value), ", "))
	return reflect.Invalid
}

func (w *walker) read(f Field) {
	if !slices.ContainsFunc(w.fields, func(x Field) bool { return x.Name == f.Name }) {
		w.fields = append(w.fields, f)
	}
}

// known reports whether events of the kind have a group of fields; if not, that is a mistake.
func (w *walker) known(n *ast.IdentifierNode) bool {
	can := groupsOf(w.on)
	switch {
	case slices.Contains(can, n.Value):
		return true
	case fieldsOf(n.Value) != nil:
		w.fail(n, "a rule on %s cannot read %s; it can read %s", w.on, n.Value, strings.Join(can, ", "))
	default:
		w.fail(n, "there is no %q; a rule on %s can read %s", n.Value, w.on, strings.Join(can, ", "))
	}
	return false
}

func (w *walker) call(n *ast.CallNode) {
	f, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || f.Value != "lower" && f.Value != "cidr" {
		w.fail(n, "this function is not available in rules; the functions are cidr and lower")
		return
	}
	w.cost += len(n.Arguments)
	for i, x := range n.Arguments {
		if f.Value == "lower" || i == 0 {
			w.walk(x)
			continue
		}
		s, ok := x.(*ast.StringNode)
		if !ok {
			w.fail(x, "cidr needs networks in quotes: cidr(session.server, \"10.0.0.0/8\")")
			return
		}
		if p, err := netip.ParsePrefix(s.Value); err != nil || p != p.Masked() {
			w.fail(x, "%q is no network; write it as 10.20.0.0/16", s.Value)
		}
	}
	if f.Value == "cidr" && len(n.Arguments) < 2 {
		w.fail(n, "cidr needs an address and at least one network: cidr(session.server, \"10.0.0.0/8\")")
	}
}

// groupsOf returns the names that an expression of a kind can use.
func groupsOf(on On) []string {
	all := []string{"session", "device", "peer"}
	for _, k := range kinds {
		if k.on == on {
			all = append(all, k.facts...)
		}
	}
	return all
}

// fieldsOf returns the names of the fields of a group, nil if there is no such group.
func fieldsOf(group string) (names []string) {
	for _, g := range groups() {
		if g.name != group {
			continue
		}
		for _, f := range g.fields() {
			names = append(names, f.Tag.Get("expr"))
		}
	}
	return names
}

// group is a field of Env: session, device …
type group struct {
	name string
	typ  reflect.Type
}

func groups() (all []group) {
	t := reflect.TypeFor[Env]()
	for i := range t.NumField() {
		all = append(all, group{t.Field(i).Tag.Get("expr"), t.Field(i).Type})
	}
	return all
}

// fields returns the fields that expressions can read, in the order of their declaration.
func (g *group) fields() []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(g.typ), func(f reflect.StructField) bool { return f.Anonymous })
}
