package main

import (
	"flag"
	"net/url"

	"go.etcd.io/etcd/server/v3/embed"
)

// etcd serves on a Unix socket, so that no other user and no other test can reach it.
func etcd() int {
	dir := flag.String("data-dir", "", "where the data are")
	socket := flag.String("listen-client-socket", "", "the path of the socket")
	flag.Parse()

	config := embed.NewConfig()
	config.Dir = *dir
	config.ListenClientUrls = []url.URL{{Scheme: "unix", Path: *socket}}
	// The only member has no peers, but wants a port for them: any free one.
	config.ListenPeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	// The data live as long as the process.
	config.UnsafeNoFsync = true
	config.LogLevel = "error"
	server, err := embed.StartEtcd(config)
	if err != nil {
		return report(err)
	}
	return report(<-server.Err())
}
