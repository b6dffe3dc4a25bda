// nsqd as a library, with a main of ours: its own does not build with the go-svc that it asks for.
module penstock.tests/nsqd

go 1.25

require github.com/nsqio/nsq v1.3.0
