// The reference: go-control-plane's linear caches behind one aggregated stream, driven by lines on standard input.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"

	_ "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
)

type line struct {
	Upsert [][3]string `json:"upsert"`
}

func main() {
	caches := map[string]*cache.LinearCache{}
	mux := cache.MuxCache{
		Caches:        map[string]cache.Cache{},
		Classify:      func(request *cache.Request) string { return request.GetTypeUrl() },
		ClassifyDelta: func(request *cache.DeltaRequest) string { return request.GetTypeUrl() },
	}
	for _, url := range []string{resource.ClusterType, resource.EndpointType, resource.ListenerType, resource.ScopedRouteType, resource.RouteType, resource.SecretType} {
		caches[url] = cache.NewLinearCache(url)
		mux.Caches[url] = caches[url]
	}
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	served := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(served, server.NewServer(context.Background(), &mux, nil))
	go func() { log.Fatal(served.Serve(listener)) }()
	fmt.Println("ready")

	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		text, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		publish(caches, text)
	}
}

func publish(caches map[string]*cache.LinearCache, text []byte) {
	var change line
	if err := json.Unmarshal(text, &change); err != nil {
		log.Fatal(err)
	}
	updates := map[string]map[string]types.Resource{}
	for _, each := range change.Upsert {
		url, name := each[0], each[1]
		body, err := base64.StdEncoding.DecodeString(each[2])
		if err != nil {
			log.Fatal(err)
		}
		message, err := (&anypb.Any{TypeUrl: url, Value: body}).UnmarshalNew()
		if err != nil {
			log.Fatal(err)
		}
		if updates[url] == nil {
			updates[url] = map[string]types.Resource{}
		}
		updates[url][name] = message
	}
	at := monotonic()
	for _, url := range []string{resource.ClusterType, resource.EndpointType, resource.SecretType, resource.ListenerType, resource.ScopedRouteType, resource.RouteType} {
		if len(updates[url]) == 0 {
			continue
		}
		if err := caches[url].UpdateResources(updates[url], nil); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(at)
}

func monotonic() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		log.Fatal(err)
	}
	return now.Nano()
}
