// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/customrule"
)

// translator translates the detection of one rule.
type translator struct {
	on        customrule.On
	detection []config.Pair
	words     []string // of the condition that are left
	depth     int
	top       bool // the condition is a single one: it may end with an aggregation
	counted   counted
	size      int // bytes of all selections so far: a condition may name one a thousand times
}

// maxDepth bounds the parentheses and negations of a condition.
const maxDepth = 50

var word = regexp.MustCompile(`[()|]|[^\s()|]+`)

// condition translates a condition, or a list of which one must be true.
func (t *translator) condition(v any) (string, error) {
	switch v := v.(type) {
	case string:
		t.words, t.depth = word.FindAllString(v, -1), 0
		e, err := t.or()
		if err == nil && len(t.words) > 0 {
			if t.words[0] == "|" && t.top {
				return e, t.aggregation(t.words[1:])
			}
			err = fmt.Errorf("the condition is not understood at %q", t.words[0])
		}
		return e, err
	case []any:
		return t.any(v, t.condition)
	}
	return "", errors.New("detection needs a condition")
}

// any joins the translations of a list with or.
func (t *translator) any(list []any, translate func(any) (string, error)) (string, error) {
	var parts []string
	for _, x := range list {
		p, err := translate(x)
		if err != nil {
			return "", err
		}
		parts = append(parts, p)
	}
	return join(parts, "or"), nil
}

// join joins expressions; "" of none never happens in a rule that is accepted.
func join(parts []string, with string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, " "+with+" ") + ")"
}

func (t *translator) next(want string) bool {
	if len(t.words) > 0 && strings.EqualFold(t.words[0], want) {
		t.words = t.words[1:]
		return true
	}
	return false
}

func (t *translator) or() (string, error) { return t.chain("or", t.and) }

func (t *translator) and() (string, error) { return t.chain("and", t.not) }

func (t *translator) chain(with string, below func() (string, error)) (string, error) {
	var parts []string
	for {
		p, err := below()
		if err != nil {
			return "", err
		}
		if parts = append(parts, p); !t.next(with) {
			return join(parts, with), nil
		}
	}
}

func (t *translator) not() (string, error) {
	if t.depth++; t.depth > maxDepth {
		return "", errors.New("the condition is nested too deep")
	}
	defer func() { t.depth-- }()
	if t.next("not") {
		e, err := t.not()
		return "not (" + e + ")", err
	}
	if t.next("(") {
		e, err := t.or()
		if err == nil && !t.next(")") {
			err = errors.New("the condition has a parenthesis that is not closed")
		}
		return e, err
	}
	return t.selections()
}

// selections translates a name, or "1 of name*", "all of them".
func (t *translator) selections() (string, error) {
	if len(t.words) == 0 || strings.Contains("()|", t.words[0]) {
		return "", errors.New("the condition ends early")
	}
	name := t.words[0]
	t.words = t.words[1:]
	with := map[string]string{"1": "or", "any": "or", "all": "and"}[strings.ToLower(name)]
	if with == "" || !t.next("of") {
		return t.selection(name)
	}
	if len(t.words) == 0 {
		return "", errors.New("the condition ends early")
	}
	pattern := t.words[0]
	t.words = t.words[1:]
	if pattern == "them" {
		pattern = "*"
	}
	var parts []string
	for _, p := range t.detection {
		if fits, _ := path.Match(pattern, p.Key); !fits || p.Key == "condition" || p.Key == "timeframe" || pattern == "*" && strings.HasPrefix(p.Key, "_") {
			continue
		}
		e, err := t.selection(p.Key)
		if err != nil {
			return "", err
		}
		parts = append(parts, e)
	}
	if parts == nil {
		return "", fmt.Errorf("no selection fits %q", pattern)
	}
	return join(parts, with), nil
}

// selection translates the fields of a selection: all of a mapping, one of a list of mappings.
func (t *translator) selection(name string) (string, error) {
	if !slices.ContainsFunc(t.detection, func(p config.Pair) bool { return p.Key == name }) {
		return "", fmt.Errorf("there is no selection %q", name)
	}
	v := get(t.detection, name)
	translate := t.fields
	if list, ok := v.([]any); ok && len(list) > 0 {
		translate = func(any) (string, error) { return t.any(list, t.fields) }
	}
	e, err := translate(v)
	if t.size += len(e); t.size > customrule.MaxExpression {
		return "", fmt.Errorf("the expression would have more than %d bytes: make several rules of it", customrule.MaxExpression)
	}
	return e, err
}

func (t *translator) fields(v any) (string, error) {
	m, ok := v.([]config.Pair)
	if !ok || len(m) == 0 {
		return "", errors.New("keywords without a field are not supported")
	}
	var parts []string
	for _, p := range m {
		e, err := t.field(p.Key, p.Value)
		if err != nil {
			return "", err
		}
		parts = append(parts, e)
	}
	return join(parts, "and"), nil
}
