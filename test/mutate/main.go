// Command mutate answers one question: would the tests notice if a line that decides were turned? Its lists hold turned lines as text;
// each is put into the build by an overlay, so that no file of the tree is changed, and the tests that should fail are run.
//
//	go run ./test/mutate                      every list
//	go run ./test/mutate -only pause          mutants whose title or file contains the word
//	go run ./test/mutate -page docs/testing.md   also write the table between the page's marks
//	go run ./test/mutate -keep FILE           in pieces: what FILE has as killed is not tried again
//	go run ./test/mutate -keep FILE -known -page …   the table of what FILE has of the tree as it is; nothing is tried
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	lists := flags.String("lists", "test/mutate/lists/*.txt", "files with mutants")
	only := flags.String("only", "", "a word in the title or the file")
	page := flags.String("page", "", "page whose table is replaced")
	keep := flags.String("keep", "", "file with the results of earlier runs; what is known is not tried again")
	known := flags.Bool("known", false, "try nothing, and tell only what the file of -keep has")
	if err := flags.Parse(args); err != nil {
		return err
	}
	mutants, err := readLists(*lists, *only)
	if err != nil {
		return err
	}
	find := tryAll
	if *known {
		find = recall
	}
	results, err := find(ctx, mutants, *keep, out)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, summary(results))
	if *page == "" {
		return unexplained(results)
	}
	if err := writePage(*page, results); err != nil {
		return err
	}
	return unexplained(results)
}

func tryAll(ctx context.Context, mutants []mutant, keep string, out io.Writer) ([]result, error) {
	kept, err := readResults(keep)
	if err != nil {
		return nil, err
	}
	all := make([]result, 0, len(mutants))
	for _, m := range mutants {
		r, known := kept.of(m)
		if !known {
			r = try(ctx, m)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err := kept.keep(r); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(out, "%-9s %s: %s (%.0f s)\n", r.verdict, m.File, m.Title, r.took.Seconds())
		if r.detail != "" {
			fmt.Fprintln(out, "          "+strings.ReplaceAll(r.detail, "\n", "\n          "))
		}
		all = append(all, r)
	}
	return all, nil
}

// recall gives what earlier runs found of the tree as it is, and tries nothing.
func recall(_ context.Context, mutants []mutant, keep string, out io.Writer) ([]result, error) {
	kept, err := readResults(keep)
	if err != nil {
		return nil, err
	}
	var found []result
	for _, m := range mutants {
		if r, ok := kept.seen[m.key()]; ok {
			found = append(found, result{mutant: m, verdict: r.Verdict, detail: r.Detail})
		}
	}
	fmt.Fprintf(out, "%d of %d mutants were tried on this tree\n", len(found), len(mutants))
	return found, nil
}

func readLists(pattern, only string) ([]mutant, error) {
	files, err := filepath.Glob(pattern)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no list at %s", pattern)
	}
	if err != nil {
		return nil, err
	}
	var chosen []mutant
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		mutants, err := parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, m := range mutants {
			if strings.Contains(m.Title, only) || strings.Contains(m.File, only) {
				chosen = append(chosen, m)
			}
		}
	}
	return chosen, nil
}
