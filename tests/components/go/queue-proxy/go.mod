module penstock.tests/queue-proxy

go 1.22

require knative.dev/serving v0.42.2

// Knative's own go.mod has this replacement, so `go install` refuses it; a replacement counts in the main module alone.
replace github.com/gorilla/websocket => github.com/gorilla/websocket v1.5.0
