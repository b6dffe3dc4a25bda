module penstock.tests/knative-check

go 1.25.0

// The versions that the module `knative` beside this one has.
require (
	github.com/cloudevents/sdk-go/v2 v2.16.1
	go.uber.org/zap v1.28.0
	knative.dev/eventing v0.50.0
	knative.dev/pkg v0.0.0-20260727151759-521cb33b33dd
	knative.dev/serving v0.50.0
)
