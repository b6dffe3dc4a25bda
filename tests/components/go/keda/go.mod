module penstock.tests/keda

go 1.26.0

require github.com/kedacore/keda/v2 v2.21.0

// KEDA's own go.mod has this replacement, so `go install` refuses it; a replacement counts in the main module alone.
replace github.com/nexus-rpc/nexus-proto-annotations v0.1.0 => github.com/nexus-rpc/nexus-proto-annotations v0.1.1-0.20260629224316-835bd8d49cb4
