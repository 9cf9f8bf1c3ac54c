package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/pghold/pghold/experiment"
	"github.com/pghold/pghold/internal/pgtemp"
	"github.com/pghold/pghold/lab"
)

func main() {
	s := experiment.Defaults()
	flag.Float64Var(&s.Speed, "speed", 10, "")
	flag.StringVar(&s.Pool, "pool", "queuepool", "")
	flag.Parse()
	routes, err := experiment.FindRoutes(flag.Args())
	if err != nil { panic(err) }
	ctx := context.Background()
	t0 := time.Now()
	pg, err := pgtemp.Start(ctx, pgtemp.Config{})
	if err != nil { panic(err) }
	defer pg.Stop()
	fmt.Println("start", time.Since(t0))
	db, err := lab.OpenDatabase(ctx, pg.DSN(), s)
	if err != nil { panic(err) }
	dir, _ := os.MkdirTemp("", "scratch")
	t0 = time.Now()
	res, err := lab.Run(ctx, db, lab.Options{Settings: s, Routes: routes, Dir: dir})
	if err != nil { fmt.Println(err); return }
	fmt.Println("run", time.Since(t0), dir)
	for _, r := range res.Routes {
		fmt.Printf("%-38s ok %d ct %d pt %d err %d thr %.2f mean %v p50 %v p90 %v p99 %v max %v late p99 %v drained %v conns %+v\n", r.Name, r.Outcomes.OK, r.Outcomes.ClientTimeout, r.Outcomes.PoolTimeout, r.Outcomes.Error, r.Throughput, r.Latency.Mean, r.Latency.P50, r.Latency.P90, r.Latency.P99, r.Latency.Max, r.SentLate.P99, r.DrainedAfter, r.Connections)
		fmt.Printf("    time %+v holds %+v\n", r.Time, r.Holds)
	}
	for _, w := range res.Warnings { fmt.Println(w) }
	b, _ := json.MarshalIndent(res, "", " ")
	os.WriteFile("/tmp/scratch/result.json", b, 0o644)
}
