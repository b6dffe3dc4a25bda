module penstock.tests/rule-check

go 1.23.0

require github.com/prometheus/prometheus v0.305.0
