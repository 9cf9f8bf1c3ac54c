// Package lab measures the answer to an experiment's question: it runs the app
// with its routes on a real Postgres, attacks each route with vegeta, watches
// the server's sessions meanwhile, and returns an experiment.Result.
//
// It neither starts a Postgres nor shows or predicts a result.
package lab
