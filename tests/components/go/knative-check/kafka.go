package main

import (
	"context"

	eventingduckv1 "knative.dev/eventing/pkg/apis/duck/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
)

// kafkaSource is a KafkaSource. The module with Knative's own type cannot be had from the module proxy, so its fields
// and its rules stand here, after knative-extensions/eventing-kafka-broker, control-plane/pkg/apis/sources/v1
// (kafka_types.go, kafka_defaults.go, kafka_validation.go) and bindings/v1. Its sink, its overrides and its delivery
// are Knative's own types, which check themselves.
type kafkaSource struct {
	duckv1.KResource `json:",inline"`
	Spec             kafkaSourceSpec `json:"spec"`
}

type kafkaSourceSpec struct {
	duckv1.SourceSpec `json:",inline"`
	BootstrapServers  []string                     `json:"bootstrapServers"`
	Topics            []string                     `json:"topics"`
	Consumers         *int32                       `json:"consumers,omitempty"`
	ConsumerGroup     string                       `json:"consumerGroup,omitempty"`
	InitialOffset     string                       `json:"initialOffset,omitempty"`
	Ordering          string                       `json:"ordering,omitempty"`
	Delivery          *eventingduckv1.DeliverySpec `json:"delivery,omitempty"`
	Net               struct {
		SASL struct {
			Enable   bool    `json:"enable,omitempty"`
			User     *secret `json:"user,omitempty"`
			Password *secret `json:"password,omitempty"`
			Type     *secret `json:"type,omitempty"`
		} `json:"sasl,omitempty"`
		TLS struct {
			Enable bool    `json:"enable,omitempty"`
			Cert   *secret `json:"cert,omitempty"`
			Key    *secret `json:"key,omitempty"`
			CACert *secret `json:"caCert,omitempty"`
		} `json:"tls,omitempty"`
	} `json:"net,omitempty"`
}

// secret is where a value is read from: a key of a Secret of the source's namespace.
type secret struct {
	SecretKeyRef struct {
		Name string `json:"name"`
		Key  string `json:"key"`
	} `json:"secretKeyRef"`
}

// SetDefaults puts in what a source leaves out: it reads from now on, and in order.
func (source *kafkaSource) SetDefaults(ctx context.Context) {
	spec := &source.Spec
	if spec.InitialOffset == "" {
		spec.InitialOffset = "latest"
	}
	if spec.Ordering == "" {
		spec.Ordering = "ordered"
	}
	within := apis.WithinParent(ctx, source.ObjectMeta)
	spec.Sink.SetDefaults(within)
	spec.Delivery.SetDefaults(within)
}

// Validate says what the webhook says, and what is wrong with the delivery: the webhook takes that as it is.
func (source *kafkaSource) Validate(ctx context.Context) *apis.FieldError {
	spec := &source.Spec
	problem := spec.SourceSpec.Validate(ctx)
	if len(spec.Topics) == 0 {
		problem = problem.Also(apis.ErrMissingField("topics"))
	}
	if len(spec.BootstrapServers) == 0 {
		problem = problem.Also(apis.ErrMissingField("bootstrapServers"))
	}
	if spec.InitialOffset != "earliest" && spec.InitialOffset != "latest" {
		problem = problem.Also(apis.ErrInvalidValue(spec.InitialOffset, "initialOffset"))
	}
	if spec.Ordering != "ordered" && spec.Ordering != "unordered" {
		problem = problem.Also(apis.ErrInvalidValue(spec.Ordering, "ordering"))
	}
	return problem.Also(spec.Delivery.Validate(ctx).ViaField("delivery")).ViaField("spec")
}
