// Go's net/http/fcgi, with its listening socket as descriptor 0.
package main

import (
	"log"
	"net/http"
	"net/http/fcgi"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte("Hello, world!"))
	})
	log.Fatal(fcgi.Serve(nil, nil))
}
