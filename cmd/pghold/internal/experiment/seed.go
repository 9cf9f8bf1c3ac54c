package experiment

import (
	_ "embed"
	"sync"
)

//go:embed seed.json
var seedJSON []byte

// Seed is the experiment that pghold started from, as its author published it:
// FastAPI, SQLAlchemy, uvicorn with one worker, Postgres and vegeta. Fields that
// vegeta does not print are zero. The result is shared: do not change it.
var Seed = sync.OnceValue(func() *Result {
	r, err := ReadResult(seedJSON)
	if err != nil {
		panic("experiment: seed.json: " + err.Error())
	}
	return r
})
