// Package conformance reads a gateway by Kubernetes' own clients, and holds what it sends against
// Kubernetes' own types.
//
//	conformance golden FOLDER                    recorded bytes: Kubernetes reads and writes the same
//	conformance documents --server URL --ca FILE  discovery and OpenAPI, read from a gateway itself
//	conformance reads --kubeconfig FILE           metrics, read as autoscalers do through kube-apiserver
package conformance

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/google/go-cmp/cmp"
)

// Run does what the arguments say and returns the exit status.
func Run() int {
	err := run(os.Args[1:])
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "conformance:", err)
	return 1
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("golden, documents or reads?")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	server := flags.String("server", "", "URL of a gateway")
	authority := flags.String("ca", "", "PEM file of the authority of its certificate")
	kubeconfig := flags.String("kubeconfig", "", "how to reach kube-apiserver, and as whom")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "golden":
		return checkGolden(flags.Arg(0))
	case "documents":
		return errors.Join(checkDiscovery(*server, *authority), checkOpenAPI(*server, *authority))
	case "reads":
		return answerReads(*kubeconfig, os.Stdin, os.Stdout)
	}
	return fmt.Errorf("no part is named %s", args[0])
}

// same says in what two values differ, by their JSON.
func same(want, got any) error {
	plain := func(value any) (any, error) {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		return parsed(text)
	}
	first, err := plain(want)
	if err != nil {
		return err
	}
	second, err := plain(got)
	if err != nil {
		return err
	}
	if difference := cmp.Diff(first, second); difference != "" {
		return fmt.Errorf("differ (-first +second):\n%s", difference)
	}
	return nil
}

func parsed(text []byte) (any, error) {
	var value any
	err := json.Unmarshal(text, &value)
	return value, err
}
