package cmd

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// expectation says in words what a flag takes, with an example as the config file spells it; "" where the words are all
// that there is.
func expectation(f *pflag.Flag) (what, example string) {
	if picked, ok := f.Value.(*choice); ok {
		last := len(picked.words) - 1
		return strings.Join(picked.words[:last], ", ") + " or " + picked.words[last], ""
	}
	switch f.Value.Type() {
	case "int", "count":
		return "a whole number", "4"
	case "duration":
		return "a duration with its unit", `"30s"`
	case "bool":
		return "true or false", ""
	case "stringSlice":
		return "a list of values", `["one", "two"]`
	}
	return "text", `"one"`
}

// fileValue turns a value of the config file into the spelling of the command line.
func fileValue(f *pflag.Flag, value any) (string, error) {
	text, fits := "", false
	picked, isChoice := f.Value.(*choice)
	switch kind := f.Value.Type(); v := value.(type) {
	case int64:
		text, fits = fmt.Sprint(v), kind == "int" || kind == "count"
	case bool:
		text, fits = fmt.Sprint(v), kind == "bool"
	case []any:
		text, fits = commas(v)
		fits = fits && kind == "stringSlice"
	case string:
		text = v
		switch {
		case isChoice:
			fits = slices.Contains(picked.words, v)
		case kind == "duration":
			_, err := time.ParseDuration(v)
			fits = err == nil
		default:
			fits = kind == "string"
		}
	}

	if !fits {
		what, example := expectation(f)
		if example == "" {
			return "", fmt.Errorf("%s is expected, not %s", what, spelled(value))
		}
		return "", fmt.Errorf("%s is expected, such as %s, not %s", what, example, spelled(value))
	}

	return text, nil
}

// commas is a list as the command line takes it: values separated by commas, those with commas or quotes in quotes.
func commas(list []any) (string, bool) {
	words := make([]string, len(list))
	for i, value := range list {
		word, isText := value.(string)
		if !isText {
			return "", false
		}
		words[i] = word
	}

	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(words) // a buffer takes everything
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n"), true
}

func spelled(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case map[string]any:
		return "a table"
	}
	return fmt.Sprint(value)
}

// allFlags are the flags of all commands by name. Flags of one name mean one thing wherever they stand.
func allFlags(root *cobra.Command) map[string]*pflag.Flag {
	flags := map[string]*pflag.Flag{}
	for _, c := range allCommands(root) {
		if c.Hidden || c.Name() == "completion" || c.HasParent() && c.Parent().Name() == "completion" {
			continue
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if (flags[f.Name] == nil || flags[f.Name].Annotations[byHand] != nil) && f.Name != "help" && f.Name != "version" {
				flags[f.Name] = f
			}
		})
	}
	return flags
}
