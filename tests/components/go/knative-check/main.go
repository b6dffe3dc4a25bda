// Asks Knative's own code about manifests and events: what its admission webhooks would say of a document, and which
// Triggers a Broker's filter would let an event through to. One JSON question on stdin, one JSON answer on stdout.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"go.uber.org/zap"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	eventingv1alpha1 "knative.dev/eventing/pkg/apis/eventing/v1alpha1"
	eventingconfig "knative.dev/eventing/pkg/apis/feature"
	sourcesv1 "knative.dev/eventing/pkg/apis/sources/v1"
	"knative.dev/eventing/pkg/eventfilter"
	"knative.dev/eventing/pkg/eventfilter/subscriptionsapi"
	"knative.dev/pkg/apis"
	servingconfig "knative.dev/serving/pkg/apis/config"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// resource is what a Knative type offers to its webhook.
type resource interface {
	SetDefaults(context.Context)
	Validate(context.Context) *apis.FieldError
}

// question holds documents to validate, and events to send through the filters of the Triggers among them.
type question struct {
	Documents []json.RawMessage `json:"documents"`
	Events    []event           `json:"events"`
}

// event is a CloudEvent as an HTTP request in binary mode.
type event struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// answer has one error text for each document, empty for none; and for each event the names of the Triggers it passes.
type answer struct {
	Problems []string   `json:"problems"`
	Passes   [][]string `json:"passes"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	ctx := context.Background()
	ctx = servingconfig.ToContext(ctx, servingDefaults())
	ctx = eventingconfig.ToContext(ctx, eventingconfig.Flags{
		"delivery-timeout": eventingconfig.Enabled,
		// Without it the webhook refuses every EventPolicy.
		eventingconfig.OIDCAuthentication: eventingconfig.Enabled,
	})
	ctx = apis.WithinCreate(ctx)
	made := answer{Problems: []string{}, Passes: [][]string{}}
	triggers := map[string]eventfilter.Filter{}
	var names []string
	for _, document := range asked.Documents {
		found, err := read(document)
		if err != nil {
			made.Problems = append(made.Problems, err.Error())
			continue
		}
		found.SetDefaults(ctx)
		if problem := found.Validate(ctx); problem != nil && problem.Filter(apis.ErrorLevel) != nil {
			made.Problems = append(made.Problems, problem.Filter(apis.ErrorLevel).Error())
			continue
		}
		made.Problems = append(made.Problems, "")
		if trigger, ok := found.(*eventingv1.Trigger); ok {
			triggers[trigger.Name] = subscriptionsapi.CreateSubscriptionsAPIFilters(zap.NewNop(), trigger.Spec.Filters)
			names = append(names, trigger.Name)
		}
	}
	for _, each := range asked.Events {
		request, err := http.NewRequest(http.MethodPost, "http://broker/", bytes.NewBufferString(each.Body))
		if err != nil {
			return err
		}
		for name, value := range each.Headers {
			request.Header.Set(name, value)
		}
		received, err := cehttp.NewEventFromHTTPRequest(request)
		if err != nil {
			return fmt.Errorf("event %v: %w", each.Headers, err)
		}
		passes := []string{}
		for _, name := range names {
			if triggers[name].Filter(ctx, *received) != eventfilter.FailFilter {
				passes = append(passes, name)
			}
		}
		made.Passes = append(made.Passes, passes)
	}
	return json.NewEncoder(os.Stdout).Encode(made)
}

// servingDefaults are the settings of a fresh installation.
func servingDefaults() *servingconfig.Config {
	defaults, _ := servingconfig.NewDefaultsConfigFromMap(map[string]string{})
	features, _ := servingconfig.NewFeaturesConfigFromMap(map[string]string{})
	return &servingconfig.Config{Defaults: defaults, Features: features}
}

// read takes a document into Knative's own type and refuses fields that it does not have.
func read(document json.RawMessage) (resource, error) {
	var kind struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(document, &kind); err != nil {
		return nil, err
	}
	known := map[string]resource{
		"serving.knative.dev/v1 Service":            &servingv1.Service{},
		"eventing.knative.dev/v1 Broker":            &eventingv1.Broker{},
		"eventing.knative.dev/v1 Trigger":           &eventingv1.Trigger{},
		"sources.knative.dev/v1 SinkBinding":        &sourcesv1.SinkBinding{},
		"sources.knative.dev/v1 KafkaSource":        &kafkaSource{},
		"eventing.knative.dev/v1alpha1 EventPolicy": &eventingv1alpha1.EventPolicy{},
	}
	found, ok := known[kind.APIVersion+" "+kind.Kind]
	if !ok {
		return nil, fmt.Errorf("%s %s: unknown here", kind.APIVersion, kind.Kind)
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	return found, decoder.Decode(found)
}
