// Command gopeer is the program that the compress function is measured against: it gets an object,
// packs it and puts it back under KEY.gz, all as a stream, so the size of what it puts is not known.
//
//	gopeer -f FROM_BUCKET -k KEY -t TO_BUCKET [-mode gzip|klauspost|pgzip|copy]
//	gopeer -codec FILE [-mode gzip|klauspost|pgzip]
//
// The store is named by ENDPOINT (host:port), ENDPOINT_SSL (true or false), ACCESS_KEY_ID and
// ACCESS_KEY_SECRET. It is written the plain way, with minio-go's own defaults: not tuned, not slowed.
// The second form packs a file from memory to nowhere and prints bytes out, wall seconds and CPU seconds.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	fastgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/pgzip"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const level = 3

// packers make a writer that compresses into w; each mode but copy has one.
var packers = map[string]func(w io.Writer) (io.WriteCloser, error){
	"gzip":      func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, level) },
	"klauspost": func(w io.Writer) (io.WriteCloser, error) { return fastgzip.NewWriterLevel(w, level) },
	"pgzip":     func(w io.Writer) (io.WriteCloser, error) { return pgzip.NewWriterLevel(w, level) },
}

func main() {
	from := flag.String("f", "", "bucket to read from")
	key := flag.String("k", "", "key of the object")
	to := flag.String("t", "", "bucket to write to")
	mode := flag.String("mode", "gzip", "gzip (standard library), klauspost, pgzip (all cores) or copy (as it is)")
	codec := flag.String("codec", "", "file to pack from memory to nowhere, instead of an object")
	flag.Parse()
	if *codec != "" && packers[*mode] != nil && flag.NArg() == 0 {
		if err := measure(*codec, *mode); err != nil {
			fmt.Fprintf(os.Stderr, "gopeer: %s: %v\n", *codec, err)
			os.Exit(1)
		}
		return
	}
	if *from == "" || *key == "" || *to == "" || flag.NArg() > 0 || (*mode != "copy" && packers[*mode] == nil) {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(context.Background(), *from, *key, *to, *mode); err != nil {
		fmt.Fprintf(os.Stderr, "gopeer: %s/%s: %v\n", *from, *key, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, from, key, to, mode string) error {
	client, err := connect()
	if err != nil {
		return err
	}
	source, err := client.GetObject(ctx, from, key, minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer source.Close()

	if mode == "copy" {
		// The limit of what a stream through one process can do: the size is known, nothing is packed.
		info, err := source.Stat()
		if err != nil {
			return err
		}
		put, err := client.PutObject(ctx, to, key, source, info.Size, minio.PutObjectOptions{ContentType: info.ContentType})
		return report(put, err)
	}

	reader, writer := io.Pipe()
	go func() {
		// With an error the reader's end fails as well, so a half-read source is never put as if it were whole.
		writer.CloseWithError(pack(writer, source, mode))
	}()
	put, err := client.PutObject(ctx, to, key+".gz", reader, -1, minio.PutObjectOptions{ContentType: "application/gzip"})
	reader.CloseWithError(err)
	return report(put, err)
}

func pack(target io.Writer, source io.Reader, mode string) error {
	packer, err := packers[mode](target)
	if err != nil {
		return err
	}
	if _, err := io.Copy(packer, source); err != nil {
		return err
	}
	return packer.Close()
}

type counter int64

func (c *counter) Write(data []byte) (int, error) {
	*c += counter(len(data))
	return len(data), nil
}

func measure(path, mode string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var size counter
	began, used := time.Now(), cpuSeconds()
	if err := pack(&size, bytes.NewReader(data), mode); err != nil {
		return err
	}
	fmt.Println(int64(size), time.Since(began).Seconds(), cpuSeconds()-used)
	return nil
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // it only fails for a wrong first argument
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func report(put minio.UploadInfo, err error) error {
	if err == nil {
		fmt.Printf("%s/%s %d bytes\n", put.Bucket, put.Key, put.Size)
	}
	return err
}

func connect() (*minio.Client, error) {
	endpoint := os.Getenv("ENDPOINT")
	if endpoint == "" {
		return nil, errors.New("ENDPOINT is not set; expected host:port")
	}
	secure := false
	if text := os.Getenv("ENDPOINT_SSL"); text != "" {
		var err error
		if secure, err = strconv.ParseBool(text); err != nil {
			return nil, fmt.Errorf("ENDPOINT_SSL=%q: expected true or false", text)
		}
	}
	return minio.New(endpoint, &minio.Options{
		Creds:  credentials.NewStaticV4(os.Getenv("ACCESS_KEY_ID"), os.Getenv("ACCESS_KEY_SECRET"), ""),
		Secure: secure,
	})
}
