// The ingress of the tests' cluster: it marks each Ingress of Knative's ready and sends requests for its hosts on to
// the Service of a revision. Knative's own implementations need Envoy; their controllers are not in the Go module proxy.
package main

import (
	"context"
	"errors"
	"log"
	"math/rand"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/client/clientset/versioned"
)

const (
	class    = "tests.ingress.networking.knative.dev"
	address  = ":8080"
	interval = 200 * time.Millisecond
)

// routes maps a host to where its requests go; paths that match a header only (tags) are left out.
type routes map[string]v1alpha1.HTTPIngressPath

func main() {
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	client := versioned.NewForConfigOrDie(config)
	var current atomic.Pointer[routes]
	current.Store(&routes{})
	go func() {
		for {
			if found, err := reconcile(context.Background(), client, os.Getenv("GATEWAY")); err != nil {
				log.Print(err)
			} else {
				current.Store(&found)
			}
			time.Sleep(interval)
		}
	}()
	log.Fatal(http.ListenAndServe(address, handler(&current)))
}

// reconcile reads every Ingress, and marks those ready that are not: the gateway serves them from the next moment on.
func reconcile(ctx context.Context, client versioned.Interface, gateway string) (routes, error) {
	list, err := client.NetworkingV1alpha1().Ingresses("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	found := routes{}
	for _, ingress := range list.Items {
		if ingress.Annotations[networking.IngressClassAnnotationKey] != class || ingress.DeletionTimestamp != nil {
			continue
		}
		for _, rule := range ingress.Spec.Rules {
			for _, path := range rule.HTTP.Paths {
				if len(path.Headers) != 0 {
					continue
				}
				for _, host := range rule.Hosts {
					found[host] = path
				}
			}
		}
		if err := markReady(ctx, client, &ingress, gateway); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func markReady(ctx context.Context, client versioned.Interface, ingress *v1alpha1.Ingress, gateway string) error {
	before := ingress.DeepCopy()
	balancer := []v1alpha1.LoadBalancerIngressStatus{{DomainInternal: gateway}}
	ingress.Status.InitializeConditions()
	ingress.Status.MarkNetworkConfigured()
	ingress.Status.MarkLoadBalancerReady(balancer, balancer)
	ingress.Status.ObservedGeneration = ingress.Generation
	if equality.Semantic.DeepEqual(before.Status, ingress.Status) {
		return nil
	}
	_, err := client.NetworkingV1alpha1().Ingresses(ingress.Namespace).UpdateStatus(ctx, ingress, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // the next round sees what changed
	}
	return err
}

func handler(current *atomic.Pointer[routes]) http.Handler {
	transport := &http.Transport{MaxIdleConnsPerHost: 200, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := strings.ToLower(r.Host)
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		path, known := (*current.Load())[host]
		if !known {
			http.Error(w, "no Ingress has the host "+host, http.StatusNotFound)
			return
		}
		split, err := choose(path.Splits)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(&url.URL{Scheme: "http", Host: net.JoinHostPort(
				split.ServiceName+"."+split.ServiceNamespace+".svc.cluster.local", split.ServicePort.String())})
			request.Out.Host = request.In.Host
			for _, headers := range []map[string]string{path.AppendHeaders, split.AppendHeaders} {
				for name, value := range headers {
					request.Out.Header.Set(name, value)
				}
			}
		}}
		proxy.ServeHTTP(w, r)
	})
}

// choose takes one of the splits, each as often as its percentage says.
func choose(splits []v1alpha1.IngressBackendSplit) (v1alpha1.IngressBackendSplit, error) {
	left := rand.Intn(100)
	for _, split := range splits {
		if left -= split.Percent; left < 0 {
			return split, nil
		}
	}
	return v1alpha1.IngressBackendSplit{}, errors.New("the splits of this host are less than 100 percent")
}
