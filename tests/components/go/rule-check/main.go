// Asks Prometheus's own code about alert rules: whether a rule file is valid, and which alerts' expressions hold for
// series that a test makes up. One JSON question on stdin, one JSON answer on stdout.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// question holds the text of a rule file, series in the notation of promqltest ("load 1m\n  up 1 1 1"), and the minute
// at which the rules are looked at.
type question struct {
	Rules  string `json:"rules"`
	Series string `json:"series"`
	Minute int    `json:"minute"`
}

// answer has what is wrong with the file, and for each alert the labels for which its expression holds.
type answer struct {
	Problems []string                       `json:"problems"`
	Firing   map[string][]map[string]string `json:"firing"`
}

// failure is how promqltest reports series that it cannot read.
type failure struct{ text string }

type reporter struct{}

func (reporter) Helper()                           {}
func (reporter) Cleanup(func())                    {}
func (reporter) Errorf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }
func (reporter) FailNow()                          { panic(failure{"stopped"}) }
func (reporter) Fatal(args ...any)                 { panic(failure{fmt.Sprint(args...)}) }
func (reporter) Fatalf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }
func (reporter) TempDir() string                   { return os.TempDir() }
func (reporter) Log(...any)                        {}
func (reporter) Logf(string, ...any)               {}

func main() {
	defer func() {
		if found, ok := recover().(failure); ok {
			fmt.Fprintln(os.Stderr, found.text)
			os.Exit(1)
		}
	}()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	made := answer{Problems: []string{}, Firing: map[string][]map[string]string{}}
	groups, problems := rulefmt.Parse([]byte(asked.Rules), false)
	for _, problem := range problems {
		made.Problems = append(made.Problems, problem.Error())
	}
	if len(problems) == 0 && strings.TrimSpace(asked.Series) != "" {
		storage := promqltest.LoadedStorage(reporter{}, asked.Series)
		defer storage.Close()
		engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1_000_000, Timeout: time.Minute})
		at := time.Unix(0, 0).Add(time.Duration(asked.Minute) * time.Minute)
		for _, group := range groups.Groups {
			for _, rule := range group.Rules {
				query, err := engine.NewInstantQuery(context.Background(), storage, nil, rule.Expr, at)
				if err != nil {
					return err
				}
				result := query.Exec(context.Background())
				if result.Err != nil {
					return result.Err
				}
				vector, err := result.Vector()
				if err != nil {
					return err
				}
				for _, sample := range vector {
					made.Firing[rule.Alert] = append(made.Firing[rule.Alert], sample.Metric.Map())
				}
			}
		}
	}
	return json.NewEncoder(os.Stdout).Encode(made)
}
