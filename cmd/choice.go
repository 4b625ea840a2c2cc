package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// choice is the value of a flag that takes one of a few words. Help and completion show the words.
type choice struct {
	value *string
	words []string
}

// choiceVar defines a flag that takes one of words, the first of them unless another is given.
func choiceVar(f *pflag.FlagSet, value *string, name string, words []string, usage string) {
	choiceVarP(f, value, name, "", words, usage)
}

func choiceVarP(f *pflag.FlagSet, value *string, name, short string, words []string, usage string) {
	*value = words[0]
	f.VarP(&choice{value, words}, name, short, usage)
}

// String is the word in force.
func (c *choice) String() string { return *c.value }

// Type is what help shows of the value.
func (c *choice) Type() string { return strings.Join(c.words, "|") }

// Set takes one of the words.
func (c *choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return fmt.Errorf("%q is none of %s", word, strings.Join(c.words, ", "))
	}
	*c.value = word
	return nil
}
