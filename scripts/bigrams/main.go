// SPDX-License-Identifier: Apache-2.0

// Command bigrams writes the table of letter pairs with which D20 scores names: how many bits each letter costs after another one, in the
// words of the files that it is given. For text it takes each different word of three letters or more once; of a table of evidence (.tsv)
// the labels of the rows "name".
//
//	go run ./scripts/bigrams docs/*.md docs/*/*.md sensor/internal/device/evidence/evidence.tsv > sensor/internal/detect/bigrams.txt
package main

import (
	"fmt"
	"log"
	"math"
	"os"
	"regexp"
	"strings"
)

const (
	symbols = "abcdefghijklmnopqrstuvwxyz0-" // 0 stands for any digit
	perBit  = 4                              // costs are written in quarters of a bit
	maxCost = 43                             // so that costs are printable: '0' to '['
)

var (
	code = regexp.MustCompile("(?s)```.*?```|`[^`]*`|<[^>]*>|https?://\\S+")
	word = regexp.MustCompile(`[a-z]{3,}`)
)

func main() {
	var pairs [len(symbols)][len(symbols)]int
	seen := map[string]bool{}
	for _, name := range os.Args[1:] {
		b, err := os.ReadFile(name)
		if err != nil {
			log.Fatal(err)
		}
		for _, w := range words(name, string(b)) {
			if !seen[w] {
				seen[w] = true
				for i := 1; i < len(w); i++ {
					pairs[index(w[i-1])][index(w[i])]++
				}
			}
		}
	}
	if len(seen) == 0 {
		log.Fatal("usage: bigrams FILE…")
	}
	for _, row := range pairs {
		total := float64(len(row))
		for _, n := range row {
			total += float64(n)
		}
		for _, n := range row {
			cost := -math.Log2((float64(n) + 1) / total)
			fmt.Printf("%c", '0'+min(int(math.Round(cost*perBit)), maxCost))
		}
		fmt.Println()
	}
}

func words(name, text string) []string {
	if !strings.HasSuffix(name, ".tsv") {
		return word.FindAllString(strings.ToLower(code.ReplaceAllString(text, " ")), -1)
	}
	var all []string
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, "\t"); cells[0] == "name" && len(cells) > 1 {
			all = append(all, word.FindAllString(strings.ToLower(cells[1]), -1)...)
		}
	}
	return all
}

func index(c byte) int { return strings.IndexByte(symbols, c) }
