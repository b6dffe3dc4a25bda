// nsqd on two addresses, with its data in a folder, until SIGTERM.
package main

import (
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/nsqio/nsq/nsqd"
)

func main() {
	options := nsqd.NewOptions()
	flag.StringVar(&options.TCPAddress, "tcp-address", options.TCPAddress, "where clients connect")
	flag.StringVar(&options.HTTPAddress, "http-address", options.HTTPAddress, "the HTTP API")
	flag.StringVar(&options.DataPath, "data-path", "", "a folder for what is not in memory")
	flag.Parse()
	// Each message is on disk before it is answered.
	options.MemQueueSize = 0
	options.SyncEvery = 1
	server, err := nsqd.New(options)
	if err != nil {
		log.Fatal(err)
	}
	if err := server.LoadMetadata(); err != nil {
		log.Fatal(err)
	}
	if err := server.PersistMetadata(); err != nil {
		log.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		server.Exit()
	}()
	if err := server.Main(); err != nil {
		log.Fatal(err)
	}
}
