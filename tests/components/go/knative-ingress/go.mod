module penstock.tests/knative-ingress

go 1.25.0

// The versions that Serving is built with in the module `knative` beside this one.
require (
	k8s.io/apimachinery v0.35.7
	k8s.io/client-go v0.35.7
	knative.dev/networking v0.0.0-20260727162500-c7a7b772cac9
	knative.dev/serving v0.50.0
)
