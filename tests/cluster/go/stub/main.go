// Stub is a model server without a model: it starts late and answers slowly, as told.
//
//	PORT           port to listen on (8080)
//	START_DELAY    time before it listens, as a model loads (0s)
//	SERVICE_TIME   time a request takes without using a cpu (0s)
//	CPU_TIME       cpu that a request uses on top: under a quota it takes longer, as a model would (0s)
//	WORKERS        requests served at once; others wait (unlimited)
//	DRAIN          time for which it goes on serving after SIGTERM (1s)
//
// GET /ping tells that it is up; any other path is a prediction. The query ?service_time=… overrides SERVICE_TIME.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func duration(name string, otherwise time.Duration) time.Duration {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	value, err := time.ParseDuration(text)
	if err != nil {
		log.Fatalf("stub: %s=%q: need a duration like 250ms", name, text)
	}
	return value
}

func main() {
	began := time.Now()
	serviceTime, cpuTime := duration("SERVICE_TIME", 0), duration("CPU_TIME", 0)
	time.Sleep(duration("START_DELAY", 0))

	workers := 1 << 20
	if text := os.Getenv("WORKERS"); text != "" {
		count, err := strconv.Atoi(text)
		if err != nil || count < 1 {
			log.Fatalf("stub: WORKERS=%q: need a positive number", text)
		}
		workers = count
	}
	free := make(chan struct{}, workers)
	host, _ := os.Hostname()

	mux := http.NewServeMux()
	mux.HandleFunc("/ping", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		takes := serviceTime
		if text := request.URL.Query().Get("service_time"); text != "" {
			if given, err := time.ParseDuration(text); err == nil {
				takes = given
			}
		}
		free <- struct{}{}
		defer func() { <-free }()
		time.Sleep(takes)
		burn(cpuTime)
		answer.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(answer).Encode(map[string]any{
			"pod": host, "revision": os.Getenv("K_REVISION"), "up_s": time.Since(began).Seconds(),
		})
	})

	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	server := &http.Server{Addr: ":" + port, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ending, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	<-ending.Done()
	time.Sleep(duration("DRAIN", time.Second))
	_ = server.Shutdown(context.Background())
}
