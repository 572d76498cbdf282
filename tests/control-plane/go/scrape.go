package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// scrape reads a page on standard input as Prometheus does, checks it as promtool does, and prints
// its series with their values, one in each line.
//
//	scrape --content-type TYPE < PAGE
func scrape() int {
	flags := flag.NewFlagSet("scrape", flag.ExitOnError)
	contentType := flags.String("content-type", "", "the Content-Type that came with the page")
	_ = flags.Parse(os.Args[1:])
	page, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = read(page, *contentType)
	}
	if err == nil && strings.HasPrefix(*contentType, "text/plain") {
		err = lint(page)
	}
	return report(err)
}

// read prints what Prometheus would store.
func read(page []byte, contentType string) error {
	// Without a fallback a type that Prometheus does not know is an error.
	parser, err := textparse.New(page, contentType, nil, textparse.ParserOptions{})
	if err != nil {
		return err
	}
	seen, types := map[string]bool{}, map[string]bool{}
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch entry {
		case textparse.EntryType:
			name, kind := parser.Type()
			if types[string(name)] {
				return fmt.Errorf("family %s stands twice", name)
			}
			types[string(name)] = true
			if kind == model.MetricTypeUnknown {
				fmt.Printf("# %s has no type\n", name)
			}
		case textparse.EntrySeries:
			var series labels.Labels
			parser.Labels(&series)
			_, timestamp, value := parser.Series()
			if timestamp != nil {
				return fmt.Errorf("%s has a timestamp, which keeps it alive when it is gone", series)
			}
			if seen[series.String()] {
				return fmt.Errorf("%s stands twice", series)
			}
			seen[series.String()] = true
			fmt.Println(series, value)
		}
	}
}

// lint finds what `promtool check metrics` finds.
func lint(page []byte) error {
	problems, err := promlint.New(bytes.NewReader(page)).Lint()
	if err != nil {
		return err
	}
	var all []error
	for _, problem := range problems {
		all = append(all, fmt.Errorf("%s: %s", problem.Metric, problem.Text))
	}
	return errors.Join(all...)
}
