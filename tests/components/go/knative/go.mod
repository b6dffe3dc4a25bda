module penstock.tests/knative

go 1.25.0

// Knative 1.23.
require (
	knative.dev/eventing v0.50.0
	knative.dev/serving v0.50.0
)
