module penstock.tests/knative

go 1.22

// Serving v0.51.0 can be had as well, but the modules that it needs (knative.dev/pkg, networking and caching of October
// 2026) and Eventing of its age cannot: the Go module proxy answered 403 on 28 November 2026.
require (
	knative.dev/eventing v0.42.1
	knative.dev/serving v0.42.2
)

// As in the queue-proxy's module beside this one.
replace github.com/gorilla/websocket => github.com/gorilla/websocket v1.5.0
