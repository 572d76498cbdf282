package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Between two looks at a part that starts.
const pollInterval = 50 * time.Millisecond

// ready waits until a part answers its health URL with 200. It trusts any certificate: what it asks
// was started on this machine by who asks, and it sends no secret.
func ready() int {
	timeout := flag.Duration("timeout", time.Minute, "how long to wait")
	socket := flag.String("socket", "", "a Unix socket to dial instead of the URL's host")
	flag.Parse()

	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	if *socket != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", *socket)
		}
	}
	client := &http.Client{Transport: transport, Timeout: *timeout}
	deadline := time.Now().Add(*timeout)
	for {
		err := healthy(client, flag.Arg(0))
		if err == nil || time.Now().After(deadline) {
			return report(err)
		}
		time.Sleep(pollInterval)
	}
}

func healthy(client *http.Client, url string) error {
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err == nil && answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, answer.Status, body)
	}
	return err
}
