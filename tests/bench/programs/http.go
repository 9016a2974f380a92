// Go's net/http: http ADDRESS.
package main

import (
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte("Hello, world!"))
	})
	http.HandleFunc("/sleep/", func(w http.ResponseWriter, r *http.Request) {
		millis, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/sleep/"))
		time.Sleep(time.Duration(millis) * time.Millisecond)
		w.Write([]byte("slept"))
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
