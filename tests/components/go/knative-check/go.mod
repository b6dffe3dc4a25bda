module penstock.tests/knative-check

go 1.22

require (
	github.com/cloudevents/sdk-go/v2 v2.15.2
	go.uber.org/zap v1.27.0
	knative.dev/eventing v0.42.1
	knative.dev/pkg v0.0.0-20240716082220-4355f0c73608
	knative.dev/serving v0.42.2
)

// As in the queue-proxy's module beside this one.
replace github.com/gorilla/websocket => github.com/gorilla/websocket v1.5.0
