// Go's net/http: http ADDRESS.
package main

import (
	"log"
	"net/http"
	"os"
	"path/filepath"
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
	http.HandleFunc("/bytes/", func(w http.ResponseWriter, r *http.Request) {
		length := numbers(r, "/bytes/")[0]
		w.Header().Set("Content-Length", strconv.Itoa(length))
		w.Write(make([]byte, length))
	})
	http.HandleFunc("/stream/", func(w http.ResponseWriter, r *http.Request) {
		sizes := numbers(r, "/stream/")
		chunk := make([]byte, sizes[1])
		for i := 0; i < sizes[0]; i++ {
			w.Write(chunk)
		}
	})
	http.HandleFunc("/file/", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(os.TempDir(), strings.TrimPrefix(r.URL.Path, "/file/")))
	})
	http.HandleFunc("/length", func(w http.ResponseWriter, r *http.Request) {
		buffer := make([]byte, 64*1024)
		length := 0
		for {
			read, err := r.Body.Read(buffer)
			length += read
			if err != nil {
				break
			}
		}
		w.Write([]byte(strconv.Itoa(length)))
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

// The numbers of a path behind its prefix.
func numbers(r *http.Request, prefix string) []int {
	var found []int
	for _, part := range strings.Split(strings.TrimPrefix(r.URL.Path, prefix), "/") {
		number, _ := strconv.Atoi(part)
		found = append(found, number)
	}
	return found
}
