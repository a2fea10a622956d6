// gzip: compresses as Docker does (Go's standard library at its default level), so that the
// lab's layers are what a real upstream's layers are, bit for bit.
package main

import (
	"compress/gzip"
	"io"
	"log"
	"os"
)

func main() {
	out := gzip.NewWriter(os.Stdout)
	if _, err := io.Copy(out, os.Stdin); err != nil {
		log.Fatal(err)
	}
	if err := out.Close(); err != nil {
		log.Fatal(err)
	}
}
