module penstock.tests/queue-proxy

go 1.25.0

// The version that the module `knative` beside this one has.
require knative.dev/serving v0.50.0
