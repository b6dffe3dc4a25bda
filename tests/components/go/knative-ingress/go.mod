module penstock.tests/knative-ingress

go 1.22

// The versions that Serving is built with in the module `knative` beside this one.
require (
	k8s.io/apimachinery v0.29.2
	k8s.io/client-go v0.29.2
	knative.dev/networking v0.0.0-20240716111826-bab7f2a3e556
	knative.dev/serving v0.42.2
)

replace github.com/gorilla/websocket => github.com/gorilla/websocket v1.5.0
