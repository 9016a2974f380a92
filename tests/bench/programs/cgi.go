// Go's net/http/cgi.
package main

import (
	"log"
	"net/http"
	"net/http/cgi"
)

func main() {
	err := cgi.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte("Hello, world!"))
	}))
	if err != nil {
		log.Fatal(err)
	}
}
