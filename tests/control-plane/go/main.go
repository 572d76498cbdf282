// Program control-plane is a Kubernetes control plane in one file: each subcommand is one of its
// parts, the real one, or a client of it, and what they share is linked once.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"fluxgauge/control-plane/conformance"
)

// A part runs with os.Args as if it were a program of its own and returns its exit status.
type part struct {
	run func() int
	// Whether it ends when its standard input does, so that it does not outlive what started it.
	bound bool
}

var parts = map[string]part{
	"etcd":                    {run: etcd, bound: true},
	"kube-apiserver":          {run: kubeAPIServer, bound: true},
	"kube-controller-manager": {run: kubeControllerManager, bound: true},
	"kube-scheduler":          {run: kubeScheduler, bound: true},
	"kwok":                    {run: kwok, bound: true},
	"kubectl":                 {run: kubectl},
	"ready":                   {run: ready, bound: true},
	"conformance":             {run: conformance.Run},
	"scrape":                  {run: scrape},
}

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	part, known := parts[os.Args[1]]
	if !known {
		usage()
	}
	if part.bound {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	os.Args = os.Args[1:]
	os.Exit(part.run())
}

func usage() {
	names := make([]string, 0, len(parts))
	for name := range parts {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintf(os.Stderr, "usage: control-plane %s\n", strings.Join(names, "|"))
	os.Exit(64) // EX_USAGE
}

// report prints an error as the part's own and returns the exit status.
func report(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
	return 1
}
